import t from 'tap';

import { Silences } from '../../../src/actors/transfers/silences.ts';
import type { RangeOutcome } from '../../../src/actors/source.ts';

const failed = (code: 'MIRROR_TIMEOUT' | 'MIRROR_ERROR'): RangeOutcome => ({
  kind: 'failed',
  code,
  message: '',
  transient: true,
});

t.test('what is asked for where a mirror fell silent follows that, once', async (t) => {
  const silences = new Silences();
  t.notOk(silences.follows(0));
  silences.failed({ start: 100 }, 20, failed('MIRROR_TIMEOUT'));
  t.notOk(silences.follows(0, 120), 'what is before it');
  t.notOk(silences.follows(121, 200), 'what is behind it');
  t.ok(silences.follows(120, 200));
  t.notOk(silences.follows(120, 200), 'the one after that');
});

t.test('nor does what follows such a request, nor what failed otherwise', async (t) => {
  const silences = new Silences();
  silences.failed({ start: 100, again: true }, 0, failed('MIRROR_TIMEOUT'));
  silences.failed({ start: 100 }, 0, failed('MIRROR_ERROR'));
  t.notOk(silences.follows(0));
  silences.failed({ start: 100 }, 0, failed('MIRROR_TIMEOUT'));
  t.ok(silences.follows(0), 'the whole once more');
});

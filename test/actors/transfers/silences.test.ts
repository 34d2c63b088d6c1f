import t from 'tap';

import { Silences } from '../../../src/actors/transfers/silences.ts';
import type { RangeOutcome } from '../../../src/actors/source.ts';

const failed = (code: 'MIRROR_TIMEOUT' | 'MIRROR_ERROR', silentMs = 0): RangeOutcome => ({
  kind: 'failed',
  code,
  message: '',
  transient: true,
  silentMs,
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

t.test('a mirror that fails after it has said nothing for long was silent', async (t) => {
  const silences = new Silences();
  silences.failed({ start: 100 }, 20, failed('MIRROR_ERROR', 12_000));
  t.ok(silences.follows(120));
});

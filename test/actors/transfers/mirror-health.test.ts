import t from 'tap';

import type { MirrorUrl } from '../../../src/core/ids.ts';
import { MirrorHealth } from '../../../src/actors/transfers/mirror-health.ts';

const MIB = 1024 * 1024;
const url = (path: string) => `http://ftp.us.debian.org/${path}` as MirrorUrl;
const elsewhere = 'http://ftp.de.debian.org/a' as MirrorUrl;

t.test('a mirror that failed is remembered for a while, all of it', (t) => {
  let now = 1000;
  const health = new MirrorHealth(() => now);
  health.noteOutcome(url('a'), true);
  t.ok(health.failing(url('b')));
  t.notOk(health.failing(elsewhere));
  now += 30_001;
  t.notOk(health.failing(url('b')));
  health.noteOutcome(url('a'), true);
  health.noteOutcome(url('c'), false);
  t.notOk(health.failing(url('b')), 'an answer ends it');
  t.end();
});

t.test('rates are those measured last, and small answers do not count', (t) => {
  const health = new MirrorHealth(() => 0);
  t.equal(health.rate(url('a')), undefined);
  health.noteRate(url('a'), MIB, 100);
  health.noteRate(url('a'), 1000, 1);
  t.equal(health.rate(url('b')), MIB / 100);
  t.equal(health.rate(elsewhere), undefined);
  t.end();
});

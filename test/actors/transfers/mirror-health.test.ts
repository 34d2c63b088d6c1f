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

t.test('as long as nothing better is known, answers that are not tiny count together', (t) => {
  const health = new MirrorHealth(() => 0);
  for (let answers = 0; answers < 100; answers++) health.noteRate(url('tiny'), 1000, 20);
  for (let answers = 0; answers < 3; answers++) health.noteRate(url(`${answers}`), MIB / 4, 50);
  t.equal(health.rate(url('a')), undefined);
  health.noteRate(url('b'), MIB / 4, 50);
  t.equal(health.rate(url('a')), MIB / 200);
  health.noteRate(url('b'), MIB, 100);
  for (let answers = 0; answers < 8; answers++) health.noteRate(url(`${answers}`), MIB / 4, 50);
  t.equal(health.rate(url('a')), MIB / 100);
  t.end();
});

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
  health.noteRate(url('a'), MIB, 100, 1);
  health.noteRate(url('a'), 1000, 1, 1);
  t.equal(health.rate(url('b'))?.rate, MIB / 100);
  t.equal(health.rate(elsewhere), undefined);
  t.end();
});

t.test('as long as nothing better is known, answers that are not tiny count together', (t) => {
  const health = new MirrorHealth(() => 0);
  for (let answers = 0; answers < 100; answers++) health.noteRate(url('tiny'), 1000, 20, 1);
  for (let answers = 0; answers < 3; answers++) health.noteRate(url(`${answers}`), MIB / 4, 50, 1);
  t.equal(health.rate(url('a')), undefined);
  health.noteRate(url('b'), MIB / 4, 50, 1);
  t.equal(health.rate(url('a'))?.rate, MIB / 200);
  health.noteRate(url('b'), MIB, 100, 1);
  for (let answers = 0; answers < 8; answers++) health.noteRate(url(`${answers}`), MIB / 4, 50, 1);
  t.equal(health.rate(url('a'))?.rate, MIB / 100);
  t.end();
});

t.test('what few connections bring says little of what many do', (t) => {
  let now = 0;
  const health = new MirrorHealth(() => now);
  const rate = () => health.rate(url('a'))?.rate;
  const note = (perMs: number, connections: number) => health.noteRate(url('a'), MIB, MIB / perMs, connections);
  note(1000, 1);
  note(2000, 4);
  t.equal(rate(), 2000, 'more connections count');
  note(500, 1);
  t.equal(rate(), 2000, 'one of four brings a quarter');
  note(1800, 3.5);
  t.equal(rate(), 1800, 'nearly as many count');
  note(100, 1);
  t.equal(rate(), 350, 'as many of these would bring less');
  note(400, 1);
  t.equal(rate(), 400, 'one that brings more than all did');
  note(4000, 4);
  now += 600_000;
  note(500, 1);
  t.equal(rate(), 500, 'nothing is known for ever');
  t.end();
});

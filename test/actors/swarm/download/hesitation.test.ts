import t from 'tap';

import { Hesitation } from '../../../../src/actors/swarm/download/hesitation.ts';

t.test('only a link that sent nothing at all meanwhile hesitates', (t) => {
  const link = new Hesitation();
  link.gaveUp(1_000, 1_200);
  t.notOk(link.at(1_200), 'it had no time');
  link.delivered(1_900);
  link.gaveUp(1_000, 2_000);
  t.notOk(link.at(2_000), 'it was busy with others');
  link.gaveUp(1_000, 2_200);
  t.ok(link.at(2_200));
  t.end();
});

t.test('each silence counts for twice as long as the one before, what is asked for meanwhile for none', (t) => {
  const link = new Hesitation();
  let now = 0;
  for (const ms of [2_000, 4_000, 8_000, 16_000, 32_000, 32_000]) {
    link.gaveUp(now, now + 500);
    now += 500;
    link.gaveUp(now - 400, now + 1);
    t.ok(link.at(now + ms - 1));
    now += ms;
    t.notOk(link.at(now));
  }
  link.gaveUp(now, now + 500);
  link.delivered(now + 600);
  t.notOk(link.at(now + 600), 'a block ends it');
  link.gaveUp(now + 700, now + 1_000);
  t.notOk(link.at(now + 3_000), 'and the first silence after that is the first');
  t.end();
});

import t from 'tap';
import { type Load, sessionOf, startOf } from '../../../scripts/loadtest/load/load.ts';
import { Sampler, zipfWeights } from '../../../scripts/loadtest/load/popularity.ts';

const LOAD: Load = { seed: 's', clients: 10, packagesEach: 8, sessions: 3, rampMs: 1000, thinkMs: 200, leave: 0.25 };
const sampler = new Sampler(zipfWeights(100, 1));

t.test('the same seed, client and session give the same requests', (t) => {
  t.same(sessionOf(LOAD, sampler, 3, 1), sessionOf(LOAD, sampler, 3, 1));
  t.notSame(sessionOf(LOAD, sampler, 3, 1), sessionOf(LOAD, sampler, 3, 2));
  t.notSame(sessionOf(LOAD, sampler, 3, 1), sessionOf({ ...LOAD, seed: 't' }, sampler, 3, 1));
  t.end();
});

t.test('clients start evenly over the ramp', (t) => {
  t.same(
    [0, 5, 9].map((client) => startOf(LOAD, client)),
    [0, 500, 900],
  );
  t.equal(startOf({ ...LOAD, clients: 1 }, 0), 0);
  t.end();
});

t.test('pauses have the mean asked for, and the share of clients that leaves is the one asked for', (t) => {
  const sessions = Array.from({ length: 4000 }, (_, client) => sessionOf(LOAD, sampler, client, 0));
  const pause = sessions.reduce((sum, { thinkMs }) => sum + thinkMs, 0) / sessions.length;
  t.ok(Math.abs(pause - 200) < 15, `mean ${pause}`);
  t.ok(sessions.every(({ thinkMs }) => thinkMs <= 1000));
  const leaving = sessions.filter(({ leave }) => leave !== undefined);
  t.ok(Math.abs(leaving.length / sessions.length - 0.25) < 0.03);
  t.ok(leaving.every(({ leave }) => leave !== undefined && leave.item >= 0 && leave.item < 8));
  t.end();
});

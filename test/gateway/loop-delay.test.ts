import { setTimeout as sleep } from 'node:timers/promises';

import t from 'tap';

import { IDLE_MS, LoopDelay } from '../../src/gateway/loop-delay.ts';
import { ManualClock } from '../kernel/fixtures/manual-clock.ts';

function block(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

t.test('a loop that is blocked while there are requests was late for about as long', async (t) => {
  const loop = new LoopDelay(new ManualClock());
  t.equal(loop.quantile(1), 0);
  loop.busy();
  await sleep(50);
  loop.reset();
  await sleep(50);
  block(200);
  await sleep(50);
  const longest = loop.quantile(1);
  t.ok(longest > 0.15 && longest < 5, `${longest} s`);
  t.ok(loop.quantile(0.5) <= longest);
  loop.close();
});

t.test('it rests when there were no requests for a while, and keeps what it has seen', async (t) => {
  const clock = new ManualClock();
  const loop = new LoopDelay(clock);
  loop.busy();
  await sleep(50);
  block(100);
  await sleep(50);
  clock.advance(IDLE_MS - 1);
  loop.busy();
  clock.advance(IDLE_MS - 1);
  t.ok(loop.measuring, 'the last request counts');
  clock.advance(1);
  t.notOk(loop.measuring);
  t.equal(clock.timers, 0);
  const seen = loop.quantile(1);
  t.ok(seen > 0.05);
  block(1_500);
  await sleep(50);
  t.equal(loop.quantile(1), seen, 'nobody looks');
  loop.busy();
  t.ok(loop.measuring, 'until the next request');
  await sleep(100);
  const again = loop.quantile(1);
  t.ok(again >= seen && again < 1.2, `${again} s: the rest is no delay`);
  loop.close();
  t.equal(clock.timers, 0);
});

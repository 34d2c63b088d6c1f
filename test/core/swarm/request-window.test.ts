import fc from 'fast-check';
import t from 'tap';

import { BLOCK_BYTES } from '../../../src/core/swarm/pieces.ts';
import {
  FIRST_WINDOW,
  MAX_DEADLINE_MS,
  MAX_SPAN,
  MAX_WINDOW,
  MIN_DEADLINE_MS,
  MIN_SMALL_DEADLINE_MS,
  MIN_WINDOW,
  RequestWindow,
} from '../../../src/core/swarm/request-window.ts';

/** A link with a round trip and a rate: asks as the window allows, for so many blocks. */
function run(rttMs: number, blocksPerMs: number, blocks: number): RequestWindow {
  const window = new RequestWindow();
  const open: { askedAt: number; due: number }[] = [];
  let now = 0;
  let free = 0;
  window.began(now);
  for (let done = 0; done < blocks; done++) {
    while (open.length < window.size) {
      free = Math.max(free, now + rttMs) + 1 / blocksPerMs;
      open.push({ askedAt: now, due: free });
    }
    const { askedAt, due } = open.shift() as { askedAt: number; due: number };
    now = due;
    window.arrived(now, BLOCK_BYTES, askedAt);
  }
  return window;
}

t.test('the window grows until it fills a fast link far away, and stays small on a slow one', (t) => {
  t.equal(new RequestWindow().size, FIRST_WINDOW);
  const far = run(50, 1, 2000);
  t.equal(far.size, MAX_WINDOW);
  const slow = run(1, 0.01, 200);
  t.ok(slow.size <= FIRST_WINDOW, `${slow.size} blocks`);
  const middle = run(10, 0.2, 2000);
  t.ok(middle.rate > 0.15 * BLOCK_BYTES * 1000, `${middle.rate} bytes a second`);
  t.end();
});

t.test('a fast link is asked for several blocks at once, one that is slow or not known for one', (t) => {
  t.equal(new RequestWindow().span, 1);
  t.equal(run(1, 0.1, 200).span, 1);
  t.equal(run(1, 0.3, 2000).span, 2);
  // 0.9 is a line of 1 Gbit/s
  t.equal(run(1, 0.9, 2000).span, MAX_SPAN);
  t.end();
});

t.test('an answer waits no longer behind what a near link was asked for than peers have to give it', (t) => {
  // 0.13 is a seventh of a line of 1 Gbit/s, 8 the whole of one of 10
  for (const blocksPerMs of [0.13, 0.25, 0.9, 8]) {
    const behindMs = run(1, blocksPerMs, 2000).size / blocksPerMs;
    t.ok(behindMs <= 40, `${behindMs} ms at ${blocksPerMs} blocks a millisecond`);
  }
  t.end();
});

t.test('windows and deadlines keep to their bounds whatever happens', (t) => {
  const event = fc.record({ wait: fc.nat(20_000), took: fc.nat(20_000), late: fc.boolean(), small: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event), fc.nat(1000), (events, roundTrip) => {
      const window = new RequestWindow();
      window.roundTrip(roundTrip);
      let now = 0;
      return events.every(({ wait, took, late, small }) => {
        now += wait;
        if (late) window.timedOut(small);
        else window.arrived(now, BLOCK_BYTES, now - took);
        const deadline = window.deadline(small);
        const least = small ? MIN_SMALL_DEADLINE_MS : MIN_DEADLINE_MS;
        return (
          window.size >= MIN_WINDOW &&
          window.size <= MAX_WINDOW &&
          deadline >= least &&
          deadline <= MAX_DEADLINE_MS &&
          window.expected(1) >= 0
        );
      });
    }),
  );
  t.end();
});

t.test('a late block makes the next deadline longer', (t) => {
  const window = new RequestWindow();
  window.arrived(300, BLOCK_BYTES, 0);
  const before = window.deadline(false);
  window.timedOut(false);
  t.ok(window.deadline(false) > before);
  t.end();
});

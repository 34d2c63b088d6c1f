import t from 'tap';

import { LINK_LIMITS } from '../../../../src/actors/swarm/link/link-limits.ts';
import type { BlockRef } from '../../../../src/actors/swarm/link/link.ts';
import { OwnRequests } from '../../../../src/actors/swarm/link/own-requests.ts';
import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';

const block = (index: number): BlockRef => ({ index, offset: 0, length: 10 });

function setUp() {
  const clock = new ManualClock();
  const over: number[] = [];
  const requests = new OwnRequests({ clock, limits: LINK_LIMITS, timedOut: ({ index }) => over.push(index) });
  return { clock, over, requests };
}

t.test('a request times out 10 s after the last block, and 60 s after it was made at the latest', (t) => {
  const { clock, over, requests } = setUp();
  requests.add(block(0));
  clock.advance(9_999);
  t.strictSame(over, []);
  clock.advance(1);
  t.strictSame(over, [0]);
  requests.add(block(1));
  for (let second = 0; second < 59; second += 5) {
    requests.add(block(100 + second));
    clock.advance(5_000);
    if (second < 55) t.equal(requests.came(block(100 + second)), 'awaited');
  }
  t.ok(over.includes(1), 'at the latest');
  t.end();
});

t.test('a time limit of the caller holds whatever else comes', (t) => {
  const { clock, over, requests } = setUp();
  requests.add(block(0));
  requests.add(block(1), { ms: 500, since: 'request' });
  clock.advance(499);
  t.equal(requests.came(block(0)), 'awaited');
  clock.advance(1);
  t.strictSame(over, [1]);
  t.equal(requests.size, 0);
  t.end();
});

t.test('a time limit from the last block on moves with the blocks that come', (t) => {
  const { clock, over, requests } = setUp();
  for (let index = 0; index < 8; index++) requests.add(block(index), { ms: 1_000, since: 'last-block' });
  for (let index = 0; index < 6; index++) {
    clock.advance(900);
    t.equal(requests.came(block(index)), 'awaited', 'though it was asked for long ago');
  }
  clock.advance(999);
  t.strictSame(over, []);
  clock.advance(1);
  t.strictSame(over, [6, 7], 'from then on nothing came');
  t.end();
});

t.test('what was given up may come once within a minute, and never again', (t) => {
  const { clock, requests } = setUp();
  for (const index of [0, 1]) requests.add(block(index));
  t.equal(requests.giveUp(block(0)), true);
  t.equal(requests.giveUp(block(0)), false);
  t.equal(requests.giveUp(block(1)), true);
  t.equal(requests.came(block(0)), 'late');
  t.equal(requests.came(block(0)), 'unasked');
  clock.advance(60_000);
  t.equal(requests.came(block(1)), 'unasked');
  t.end();
});

t.test('a block answers what is asked now, a reject what was cancelled before', (t) => {
  const { requests } = setUp();
  requests.add(block(0));
  requests.giveUp(block(0));
  t.equal(requests.add(block(0)), true);
  t.equal(requests.add(block(0)), false);
  t.equal(requests.refused(block(0)), 'late');
  t.equal(requests.refused(block(0)), 'awaited');
  t.equal(requests.refused(block(0)), 'unasked');
  requests.add(block(1));
  requests.giveUp(block(1));
  requests.add(block(1));
  t.equal(requests.came(block(1)), 'awaited');
  t.equal(requests.came(block(1)), 'late');
  t.end();
});

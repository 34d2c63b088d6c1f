import t from 'tap';

import { BlockPool } from '../../../src/actors/swarm/block-pool.ts';
import { BLOCK_BYTES, MAX_REQUEST_BYTES } from '../../../src/core/swarm/pieces.ts';

t.test('a buffer that was only shown is used again at once, one that is kept is not', (t) => {
  const pool = new BlockPool();
  const first = pool.take(100);
  t.equal(first.length, 100);
  pool.shown(first);
  const second = pool.take(BLOCK_BYTES);
  t.equal(second.buffer, first.buffer);
  second.fill(1);
  t.equal(pool.keep(second), second, 'not copied');
  pool.shown(second);
  const third = pool.take(BLOCK_BYTES);
  t.not(third.buffer, second.buffer);
  pool.give(second);
  t.equal(pool.take(1).buffer, second.buffer);
  t.end();
});

t.test('what somebody keeps already, and what is not of the pool, is copied', (t) => {
  const pool = new BlockPool();
  const own = pool.keep(pool.take(10).fill(1));
  const copy = pool.keep(own.subarray(2, 8));
  const foreign = Buffer.alloc(10, 2);
  const kept = pool.keep(foreign);
  own.fill(9);
  foreign.fill(9);
  t.strictSame(copy, Buffer.alloc(6, 1));
  t.strictSame(kept, Buffer.alloc(10, 2));
  t.end();
});

t.test('given twice, or not of the pool: nobody gets the same buffer twice', (t) => {
  const pool = new BlockPool();
  const buffer = pool.take(10);
  pool.give(buffer);
  pool.give(buffer);
  pool.shown(buffer);
  pool.give(Buffer.alloc(BLOCK_BYTES));
  const all = new Set(Array.from({ length: 3 }, () => pool.take(10).buffer));
  t.equal(all.size, 3);
  t.end();
});

t.test('a bounded number is kept', (t) => {
  const pool = new BlockPool();
  for (const [length, kept] of [
    [1, 64],
    [MAX_REQUEST_BYTES, 16],
  ] as const) {
    const many = Array.from({ length: 200 }, () => pool.take(length));
    const buffers = new Set(many.map(({ buffer }) => buffer));
    for (const one of many) pool.give(one);
    const again = Array.from({ length: 200 }, () => pool.take(length).buffer);
    t.equal(again.filter((buffer) => buffers.has(buffer)).length, kept);
  }
  t.end();
});

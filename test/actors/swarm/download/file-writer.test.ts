import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { systemClock } from '../../../../src/core/clock.ts';
import type { DebtorrentError } from '../../../../src/core/errors.ts';
import { RangeSet } from '../../../../src/core/range-set.ts';
import { BLOCK_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { BlockPool } from '../../../../src/actors/swarm/block-pool.ts';
import { FileWriter, type FileWriterOptions } from '../../../../src/actors/swarm/download/file-writer.ts';
import { KEPT_BYTES, MAX_BYTES, MemoryBudget } from '../../../../src/actors/swarm/download/memory-budget.ts';
import { randomBytes, randomNumbers } from '../../../support/random.ts';

const QUICK = { allows: () => true, took: () => undefined };
const SLOW = { allows: () => false, took: () => undefined };
/** Every other write has to wait. */
const changing = () => {
  let quick = false;
  return { allows: () => (quick = !quick), took: () => undefined };
};

/** On a quick disk, of a file that nothing goes wrong with, unless said otherwise. */
function writerOf(t: Test, options: Pick<FileWriterOptions, 'path' | 'size' | 'budget'> & Partial<FileWriterOptions>) {
  return new FileWriter({
    unflushed: { bytes: 0 },
    clock: systemClock,
    blocks: new BlockPool(),
    inPlace: QUICK,
    wrote: () => undefined,
    failed: (error) => t.fail(error.message),
    ...options,
  });
}

for (const [disk, inPlace] of [
  ['a quick', QUICK],
  ['a slow', SLOW],
  ['now a quick, now a slow', changing()],
] as const)
  t.test(`blocks in any order end up in their places on ${disk} disk, and their memory is given back`, async (t) => {
    const budget = new MemoryBudget(() => undefined);
    const blocks = 40;
    const data = randomBytes('blocks', blocks * BLOCK_BYTES);
    const path = join(t.testdir({ file: 'what was there before' }), 'file');
    const there = new RangeSet();
    const wrote = (start: number, end: number) => there.add(start, end);
    const writer = writerOf(t, { path, size: data.length, budget, inPlace, wrote });
    const random = randomNumbers('order');
    const order = Array.from({ length: blocks }, (_, block) => ({ block, key: random() })).toSorted(
      (a, b) => a.key - b.key,
    );
    for (const { block } of order) {
      t.ok(budget.reserve(BLOCK_BYTES, false));
      const chunk = Buffer.from(data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
      writer.push(block * BLOCK_BYTES, chunk);
      chunk.fill(0);
      if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.settled(0, BLOCK_BYTES);
    t.ok(there.covers(0, BLOCK_BYTES));
    await writer.close();
    t.ok(readFileSync(path).equals(data));
    t.strictSame(there.toJSON(), [[0, data.length]]);
    t.equal(budget.used, 0);
  });

t.test('a small file is written before the call returns', (t) => {
  const budget = new MemoryBudget(() => undefined);
  const path = join(t.testdir(), 'file');
  let wrote = 0;
  const writer = writerOf(t, { path, size: 1000, budget, wrote: (start, end) => (wrote += end - start) });
  budget.reserve(1000, true);
  writer.push(0, randomBytes('small', 1000));
  t.equal(wrote, 1000);
  t.equal(budget.used, 0);
  t.ok(readFileSync(path).equals(randomBytes('small', 1000)));
  t.end();
});

for (const [disk, inPlace] of [
  ['quick', QUICK],
  ['slow', SLOW],
] as const)
  t.test(`the first error ends it, and the memory of what waits is given back: ${disk} disk`, async (t) => {
    const budget = new MemoryBudget(() => undefined);
    const directory = t.testdir();
    writeFileSync(join(directory, 'not-a-directory'), '');
    const errors: DebtorrentError[] = [];
    const writer = writerOf(t, {
      path: join(directory, 'not-a-directory', 'file'),
      size: 100 * BLOCK_BYTES,
      budget,
      inPlace,
      wrote: () => t.fail('nothing can be written'),
      failed: (error) => errors.push(error),
    });
    for (let block = 0; block < 20; block++) {
      budget.reserve(BLOCK_BYTES, false);
      writer.push(2 * block * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES));
    }
    await writer.close();
    budget.reserve(10, false);
    writer.push(0, Buffer.alloc(10));
    t.match(errors, [{ code: 'STORE_IO' }]);
    t.equal(errors.length, 1);
    t.equal(budget.used, 0);
  });

t.test('what cannot be flushed while it comes is an error: nobody is told of it again', async (t) => {
  const budget = new MemoryBudget(() => undefined);
  const errors: DebtorrentError[] = [];
  const unflushed = { bytes: 64 * 1024 * 1024 };
  const failed = (error: DebtorrentError) => errors.push(error);
  // takes everything, and cannot be flushed
  const writer = writerOf(t, { path: '/dev/null', size: 100 * BLOCK_BYTES, budget, unflushed, failed });
  for (let block = 0; block < 20; block++) {
    budget.reserve(BLOCK_BYTES, false);
    writer.push(block * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES));
  }
  await writer.close();
  t.match(errors, [{ code: 'STORE_IO' }]);
  t.equal(budget.used, 0);
});

t.test('at the bound nothing more is let in until there is some room, but for small files', (t) => {
  let freed = 0;
  const budget = new MemoryBudget(() => (freed += 1));
  while (budget.reserve(BLOCK_BYTES, false));
  t.equal(budget.used, MAX_BYTES - KEPT_BYTES);
  budget.release(BLOCK_BYTES);
  t.equal(freed, 0);
  budget.release(KEPT_BYTES);
  t.equal(freed, 1);
  while (budget.reserve(BLOCK_BYTES, true));
  t.equal(budget.used, MAX_BYTES);
  t.end();
});

t.test('a long file is flushed while it comes, whoever writes it, and closed when that is done', async (t) => {
  const budget = new MemoryBudget(() => undefined);
  const blocks = 200;
  const path = join(t.testdir(), 'file');
  const unflushed = { bytes: 0 };
  let wrote = 0;
  for (const first of [0, blocks]) {
    const counted = (start: number, end: number) => (wrote += end - start);
    const writer = writerOf(t, { path, size: 2 * blocks * BLOCK_BYTES, budget, unflushed, wrote: counted });
    const block = randomBytes('block', BLOCK_BYTES);
    for (let at = first; at < first + blocks; at++) {
      budget.reserve(BLOCK_BYTES, false);
      writer.push(at * BLOCK_BYTES, block);
    }
    t.ok(wrote > (first + blocks - 8) * BLOCK_BYTES, 'it does not wait for the turn to end');
    await writer.close();
    t.equal(wrote, (first + blocks) * BLOCK_BYTES);
  }
  const left = (2 * blocks * BLOCK_BYTES) % (32 * 2 ** 20);
  t.equal(unflushed.bytes, left);
  t.equal(budget.used, 0);
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  t.notOk(open.includes(path));
});

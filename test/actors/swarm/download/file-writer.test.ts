import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import type { DebtorrentError } from '../../../../src/core/errors.ts';
import { RangeSet } from '../../../../src/core/range-set.ts';
import { BLOCK_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { FileWriter } from '../../../../src/actors/swarm/download/file-writer.ts';
import { KEPT_BYTES, MAX_BYTES, MemoryBudget } from '../../../../src/actors/swarm/download/memory-budget.ts';
import { randomBytes, randomNumbers } from '../../../support/random.ts';

t.test('blocks in any order end up in their places, and their memory is given back', async (t) => {
  const budget = new MemoryBudget(() => undefined);
  const blocks = 40;
  const data = randomBytes('blocks', blocks * BLOCK_BYTES);
  const path = join(t.testdir({ file: 'what was there before' }), 'file');
  const there = new RangeSet();
  const writer = new FileWriter({
    path,
    size: data.length,
    budget,
    wrote: (start, end) => there.add(start, end),
    failed: (error) => t.fail(error.message),
  });
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
  const writer = new FileWriter({
    path,
    size: 1000,
    budget,
    wrote: (start, end) => (wrote += end - start),
    failed: (error) => t.fail(error.message),
  });
  budget.reserve(1000, true);
  writer.push(0, randomBytes('small', 1000));
  t.equal(wrote, 1000);
  t.equal(budget.used, 0);
  t.ok(readFileSync(path).equals(randomBytes('small', 1000)));
  t.end();
});

t.test('the first error ends it, and the memory of what waits is given back', async (t) => {
  const budget = new MemoryBudget(() => undefined);
  const directory = t.testdir();
  writeFileSync(join(directory, 'not-a-directory'), '');
  const errors: DebtorrentError[] = [];
  const writer = new FileWriter({
    path: join(directory, 'not-a-directory', 'file'),
    size: 100 * BLOCK_BYTES,
    budget,
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

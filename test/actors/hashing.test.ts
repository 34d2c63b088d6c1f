import { open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { ReadyMark } from '../../src/core/ready-mark.ts';
import { PIECE_BYTES } from '../../src/core/swarm/pieces.ts';
import { pieceRoot, RootHasher } from '../../src/core/swarm/tree.ts';
import { createHashing } from '../../src/actors/hashing.ts';
import { rejectsWith, until } from '../kernel/contract.ts';
import { randomBytes } from '../support/random.ts';
import { hashOf, temporaryDirectory } from './fixtures/fetch-stack.ts';

t.test('files are hashed as far as asked, in threads of their own', async (t) => {
  const hashing = createHashing({ threads: 2, maxQueue: 100 });
  t.teardown(() => hashing.close());
  const directory = await temporaryDirectory(t);
  const sizes = [0, 1, 1024 * 1024 - 1, 1024 * 1024, 3 * 1024 * 1024 + 7];
  for (const size of sizes) await writeFile(join(directory, String(size)), randomBytes('x', size));
  const hashes = await Promise.all(sizes.map((size) => hashing.sha256(join(directory, String(size)), size)));
  t.strictSame(
    hashes,
    sizes.map((size) => hashOf(randomBytes('x', size))),
  );
  t.equal(await hashing.sha256(join(directory, String(sizes.at(-1))), 1), hashOf(randomBytes('x', 1)));
  await rejectsWith(t, hashing.sha256(join(directory, '1'), 2), 'STORE_IO', /ends at 1 of 2/);
  await rejectsWith(t, hashing.sha256(join(directory, 'none'), 1), 'STORE_IO');
});

t.test('a file that arrives in steps has the hash of the whole', async (t) => {
  const hashing = createHashing({ threads: 1, maxQueue: 100 });
  t.teardown(() => hashing.close());
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('steps', 5 * PIECE_BYTES + 7);
  const part = await open(path, 'w');
  t.teardown(() => part.close());
  const mark = new ReadyMark();
  const sha256 = hashing.sha256Along(path, data.length, mark);
  for (let position = 0; position < data.length; position += 700_001) {
    await part.write(data, position, Math.min(700_001, data.length - position), position);
    mark.advance(Math.min(position + 700_001, data.length));
  }
  mark.complete(data.length);
  t.equal(await sha256, hashOf(data));
});

t.test('what stands still or is void keeps no thread from others', async (t) => {
  const hashing = createHashing({ threads: 1, maxQueue: 100 });
  t.teardown(() => hashing.close());
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('still', 100_000);
  await writeFile(path, data);
  const still = new ReadyMark();
  still.advance(50_000);
  const gone = new ReadyMark();
  const alongs = [still, gone].map((mark) => hashing.sha256Along(path, data.length, mark));
  const behind = hashing.sha256(path, data.length);
  gone.void();
  t.strictSame(await Promise.all(alongs), [undefined, undefined]);
  t.equal(await behind, hashOf(data));
  const long = new ReadyMark();
  long.complete(data.length + 1);
  await rejectsWith(t, hashing.sha256Along(path, data.length + 1, long), 'STORE_IO', /ends at/);
});

t.test('roots of pieces are those that the file would have in memory', async (t) => {
  const hashing = createHashing({ threads: 1, maxQueue: 100 });
  t.teardown(() => hashing.close());
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('roots', 3 * PIECE_BYTES + 16_385);
  await writeFile(path, data);
  for (const size of [1, 16_384, PIECE_BYTES, PIECE_BYTES + 1, data.length]) {
    const hasher = new RootHasher();
    hasher.update(data.subarray(0, size));
    t.ok(hasher.finish().equals(await hashing.pieceRoots(path, size)), `${size} bytes`);
  }
  for (const [start, length] of [
    [0, PIECE_BYTES],
    [PIECE_BYTES, PIECE_BYTES],
    [3 * PIECE_BYTES, 16_385],
  ] as const) {
    const root = await hashing.pieceRoot(path, start, length);
    t.ok(pieceRoot(data.subarray(start, start + length)).equals(root), `from ${start} on`);
  }
  await rejectsWith(t, hashing.pieceRoots(path, data.length + 1), 'STORE_IO', /ends at/);
  await rejectsWith(t, hashing.pieceRoot(path, 3 * PIECE_BYTES, 16_386), 'STORE_IO', /ends at/);
  await rejectsWith(t, hashing.pieceRoot(path, 0, 0), 'STORE_IO');
  await rejectsWith(t, hashing.pieceRoots(`${path}.none`, 1), 'STORE_IO');
});

t.test('threads that stay start when work is near, once, and end with the pool', async (t) => {
  // A thread that has ended is among them for a moment yet: only those that are new count.
  let before = new Set<string>();
  const added = async () => (await readdir('/proc/self/task')).filter((thread) => !before.has(thread)).length;
  // What the process starts threads for on its own account is done.
  const first = createHashing({ threads: 1, maxQueue: 3 });
  await first.sha256('/dev/null', 0);
  await first.close();
  before = new Set(await readdir('/proc/self/task'));
  const hashing = createHashing({ threads: 1, kept: 1, maxQueue: 3 });
  hashing.prepare();
  hashing.prepare();
  t.equal(await added(), 0, 'not at once');
  await until(async () => (await added()) > 0);
  t.equal(await added(), 1);
  t.equal(await hashing.sha256('/dev/null', 0), hashOf(Buffer.alloc(0)));
  t.equal(await added(), 1);
  await hashing.close();
  const unused = createHashing({ threads: 1, kept: 1, maxQueue: 3 });
  unused.prepare();
  await unused.close();
});

t.test('the queue has a bound, and closing settles what waits', async (t) => {
  const hashing = createHashing({ threads: 1, maxQueue: 3 });
  const path = join(await temporaryDirectory(t), 'f');
  await writeFile(path, randomBytes('y', 1000));
  const all = Array.from({ length: 20 }, () =>
    hashing.sha256(path, 1000).catch((error: { code: string }) => error.code),
  );
  const codes = new Set(await Promise.all(all));
  t.ok(codes.has('OVERLOADED') && codes.has(hashOf(randomBytes('y', 1000))), [...codes].join());
  const last = hashing.sha256(path, 1000).catch((error: { code: string }) => error.code);
  await hashing.close();
  t.ok(['STORE_IO', hashOf(randomBytes('y', 1000))].includes(await last));
});

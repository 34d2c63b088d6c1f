import fc from 'fast-check';
import t from 'tap';
import type { Sha256 } from '../../../src/core/ids.ts';
import { SegmentBuilder } from '../../../src/core/archive/segment-builder.ts';
import { Segment } from '../../../src/core/archive/segment.ts';

type Row = readonly [path: string, size: number, sha: Uint8Array];

function build(rows: readonly Row[], expected?: number): Segment {
  const builder = new SegmentBuilder(expected);
  for (const [path, size, sha] of rows) {
    const bytes = Buffer.from(path);
    builder.add(bytes, 0, bytes.length, size, sha);
  }
  return builder.finish();
}

/** A file with these bytes, opened. */
function open(bytes: Uint8Array): Segment | undefined {
  const memory = new SharedArrayBuffer(bytes.length);
  Buffer.from(memory).set(bytes);
  return Segment.open(memory);
}

const row = fc.tuple(
  fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.string({ unit: 'grapheme', minLength: 1 })),
  fc.maxSafeNat(),
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
);

t.test('a segment answers as a Map does', async (t) => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 300 }), fc.nat({ max: 5000 }), (rows, expected) => {
      const byPath = new Map<string, { sha256: string; size: number }>();
      const byShas = new Map<string, string>();
      const ambiguous = new Set<string>();
      for (const [path, size, sha] of rows) {
        const key = Buffer.from(path).toString();
        const sha256 = Buffer.from(sha).toString('hex');
        const before = byPath.get(key);
        if (before !== undefined) {
          if (before.sha256 !== sha256 || before.size !== size) ambiguous.add(key);
          continue;
        }
        byPath.set(key, { sha256, size });
        if (!byShas.has(sha256)) byShas.set(sha256, key);
      }
      const segment = Segment.open(build(rows, expected).memory);
      if (!segment) throw new Error('does not open');
      t.equal(segment.count, byPath.size);
      for (const [path, hit] of byPath) t.strictSame(segment.lookup(path), ambiguous.has(path) ? undefined : hit);
      for (const [sha, path] of byShas) t.equal(segment.lookupSha(sha as Sha256)?.path, path);
      t.equal(segment.lookup('not there at all, and longer than any'), undefined);
      t.equal(segment.lookupSha('00'.repeat(32) as Sha256)?.path, byShas.get('00'.repeat(32)));
      t.strictSame(
        [...segment.entries()].map((e) => [e.path, { sha256: e.sha256, size: e.size }]),
        [...byPath],
      );
    }),
    { numRuns: 60 },
  );
});

const some: Row[] = Array.from({ length: 500 }, (_, i) => [`pool/${i}_amd64.deb`, i, Buffer.alloc(32, i)]);

t.test('the empty segment is a segment', async (t) => {
  const segment = Segment.open(build([]).memory);
  t.equal(segment?.count, 0);
  t.equal(segment?.lookup('a'), undefined);
  t.equal(segment?.lookup('é'), undefined);
});

t.test('bytes and counts add up', async (t) => {
  const segment = Segment.open(build(some).memory);
  t.equal(segment?.count, 500);
  t.equal(segment?.totalBytes, (499 * 500) / 2);
});

t.test('a path with two contents is not found, and the builder says so', async (t) => {
  const builder = new SegmentBuilder();
  const path = Buffer.from('a');
  t.equal(builder.add(path, 0, 1, 1, Buffer.alloc(32, 1)), 'added');
  t.equal(builder.add(path, 0, 1, 1, Buffer.alloc(32, 1)), 'same');
  t.equal(builder.add(path, 0, 1, 2, Buffer.alloc(32, 1)), 'conflict');
  t.equal(builder.add(path, 0, 1, 1, Buffer.alloc(32, 2)), 'conflict');
  t.equal(builder.add(Buffer.from('b'), 0, 1, 3, Buffer.alloc(32, 3)), 'added');
  const segment = builder.finish();
  t.equal(segment.lookup('a'), undefined);
  t.equal(segment.lookupSha('01'.repeat(32) as Sha256)?.size, 1, 'but by its SHA-256');
  t.equal(segment.lookup('b')?.size, 3);
});

t.test('another thread looks up in the same memory', async (t) => {
  const { memory } = build(some);
  const segment = Segment.opened(memory);
  t.equal(segment?.memory, memory);
  t.equal(segment?.lookup('pool/7_amd64.deb')?.size, 7);
  t.equal(Segment.opened(memory.slice(0, 100)), undefined);
});

t.test('a corrupt segment is refused', async (t) => {
  const file = Buffer.from(build(some).memory);
  fc.assert(
    fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const corrupt = Buffer.from(file);
      corrupt[at] = (corrupt[at] as number) ^ flip;
      t.equal(open(corrupt), undefined, `byte ${at}`);
    }),
    { numRuns: 300 },
  );
  for (const length of [0, 1, 40, 64, file.length - 8, file.length - 1]) {
    t.equal(open(file.subarray(0, length)), undefined, `cut to ${length}`);
  }
  t.equal(open(Buffer.concat([file, Buffer.alloc(8)])), undefined, 'too long');
  t.equal(open(Buffer.from('junk'.repeat(1000))), undefined, 'junk');
});

t.test('tables that lead out of the file are refused even with a right checksum', async (t) => {
  const { crc32 } = await import('node:zlib');
  const file = Buffer.from(build(some).memory);
  fc.assert(
    fc.property(fc.integer({ min: 16, max: file.length - 4 }), fc.nat({ max: 0xffffffff }), (at, value) => {
      const corrupt = Buffer.from(file);
      corrupt.writeUInt32LE(value, at);
      corrupt.writeUInt32LE(crc32(corrupt.subarray(16)), 12);
      const segment = open(corrupt);
      for (const [path, , sha] of segment ? some : []) {
        segment?.lookup(path);
        segment?.lookupSha(Buffer.from(sha).toString('hex') as Sha256);
      }
      t.pass('no exception');
    }),
    { numRuns: 200 },
  );
});

t.test('V8 knows what a segment weighs: those that nobody needs any more are freed by itself', async (t) => {
  const entry = (_: unknown, n: number): Row => [`pool/main/p/pkg${n}_1_amd64.deb`, n, Buffer.alloc(32, `${n}`)];
  const { memory } = build(Array.from({ length: 100_000 }, entry));
  let current: Segment | undefined;
  let freed = 0;
  const registry = new FinalizationRegistry(() => freed++);
  for (let update = 0; update < 100 && freed === 0; update++) {
    current = Segment.opened(memory);
    if (current) registry.register(current, undefined);
    // long enough in use for V8 to take it for one that stays
    for (let n = 0; n < 200; n++) JSON.parse(JSON.stringify(Array.from({ length: 2000 }, (_, i) => ({ i }))));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(freed > 0);
  t.equal(current?.count, 100_000);
});

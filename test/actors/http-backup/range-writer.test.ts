import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import fc from 'fast-check';
import t from 'tap';

import { RangeWriter } from '../../../src/actors/http-backup/range-writer.ts';
import { randomBytes } from '../../support/random.ts';
import { temporaryDirectory } from '../fixtures/fetch-stack.ts';

const pieces = fc.array(
  fc
    .oneof(fc.nat(100), fc.constantFrom(16_384, 32_768, 40_000, 65_536, 700_000))
    .chain((size) => fc.record({ size: fc.constant(size), pauseMs: fc.constantFrom(0, 0, 0, 1, 35) })),
  { maxLength: 12 },
);

const here = { allows: () => true, took: () => undefined };
const handedOver = { allows: () => false, took: () => undefined };
/** Hands over every other write. */
const byTurns = () => {
  let turn = 0;
  return { allows: () => turn++ % 2 === 0, took: () => undefined };
};

t.test('however the bytes come, the file has them in order, and each is told once', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(1000), fc.constantFrom(here, handedOver, byTurns()), async (parts, start, disk) => {
      await writeFile(path, Buffer.alloc(start));
      const told: [number, number][] = [];
      const on = {
        path,
        start,
        wrote: (from: number, to: number) => told.push([from, to]),
        pause: () => undefined,
        resume: () => undefined,
      };
      const writer = new RangeWriter(on, disk);
      const sent: Buffer[] = [];
      for (const [n, { size, pauseMs }] of parts.entries()) {
        const chunk = randomBytes(String(n), size);
        sent.push(Buffer.from(chunk));
        writer.push(chunk);
        chunk.fill(0); // its memory is used again
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      await writer.finish();
      const all = Buffer.concat([Buffer.alloc(start), ...sent]);
      if (!(await readFile(path)).equals(all)) throw new Error('bytes');
      if (writer.end !== all.length) throw new Error('end');
      let at = start;
      for (const [from, to] of told) {
        if (from !== at) throw new Error('gap');
        at = to;
      }
      if (at !== all.length) throw new Error('not told');
    }),
    { numRuns: 40 },
  );
});

t.test('very many small pieces that end while others are being written stay in order', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('many', 6_000_000);
  for (let round = 0; round < 5; round++) {
    await writeFile(path, '');
    let paused = 0;
    const on = {
      path,
      start: 0,
      wrote: () => undefined,
      pause: () => (paused += 1),
      resume: () => (paused -= 1),
    };
    const writer = new RangeWriter(on, handedOver);
    const step = 1400 + round;
    for (let at = 0; at < data.length; at += step) writer.push(data.subarray(at, at + step));
    t.equal(paused, 1, 'more than it wants to hold');
    await writer.finish();
    t.equal(paused, 0);
    t.ok((await readFile(path)).equals(data));
  }
});

t.test('a file that cannot be made is the error of finish, also of a second one', async (t) => {
  const path = join(await temporaryDirectory(t), 'none', 'file');
  for (const size of [10, 5_000_000]) {
    const writer = new RangeWriter({
      path,
      start: 0,
      wrote: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    });
    writer.push(Buffer.alloc(size));
    await t.rejects(writer.finish(), { code: 'ENOENT' });
    writer.push(Buffer.alloc(size));
    await t.rejects(writer.finish(), { code: 'ENOENT' });
  }
});

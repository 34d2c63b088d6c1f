import { appendFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { BLOCK_BYTES, PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { TokenBucket } from '../../../../src/core/swarm/token-bucket.ts';
import { received, SLOW_DISK, uploadScene, type UploadScene } from './upload-scene.ts';

/** Answers of both kinds. */
const done = ['piece', 'reject'] as const;

/** Files of the scene that this process has open. */
function openFiles(s: UploadScene): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(s.directory) ? [target] : [];
    } catch {
      return [];
    }
  });
}

/** Reads are made in place until one has to wait. */
const DISKS = [
  ['quick', {}],
  ['slow', SLOW_DISK],
] as const;

for (const [disk, over] of DISKS) {
  t.test(`a file arrives whole, in order, each request answered once, from a ${disk} disk`, async (t) => {
    const s = await uploadScene(t, over);
    const file = s.store('file', 2 * PIECE_BYTES + 300_001);
    const link = s.link();
    const base = await s.leased(link, file);
    s.askAll(link, base, file.size);
    await link.until(() => link.open.size === 0);
    t.ok(received(link, base, file.size).equals(file.data));
    const starts = link.of('piece').map(({ block }) => block.index * PIECE_BYTES + block.offset);
    t.strictSame(
      starts,
      starts.toSorted((a, b) => a - b),
    );
    t.equal(link.upBytes, file.size);
    await s.uploads.stop();
    t.strictSame(openFiles(s), [], 'nothing stays open');
  });
}

for (const [disk, over] of DISKS) {
  t.test(`blocks of any order and of several small files, from a ${disk} disk`, async (t) => {
    const s = await uploadScene(t, over);
    const files = Array.from({ length: 100 }, (_, n) => s.store(`small ${n}`, 20_000 + n));
    const link = s.link();
    for (let n = 0; n < 50; n++) s.want(link, ...files.slice(2 * n, 2 * n + 2));
    await link.until(() => link.of('offer').length === 100);
    const bases = new Map(link.of('offer').map(({ file, base }) => [file, base]));
    for (const [number, base] of bases) {
      const { size } = files[number] as { size: number };
      s.ask(link, base, 16_384, size - 16_384);
      s.ask(link, base, 0, 16_384);
    }
    await link.until(() => link.open.size === 0);
    const got = new Map<number, Buffer>();
    for (const { block, data } of link.of('piece')) {
      const file = got.get(block.index) ?? Buffer.alloc(30_000);
      data.copy(file, block.offset);
      got.set(block.index, file);
    }
    for (const [number, base] of bases) {
      const { data, size } = files[number] as { data: Buffer; size: number };
      t.ok(got.get(base)?.subarray(0, size).equals(data));
    }
    t.ok(openFiles(s).length <= 64, 'few files are kept open');
  });
}

t.test('a peer that does not read is not read for, and goes on where it stopped', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 8 * PIECE_BYTES);
  const [slow, quick] = [s.link(), s.link()];
  slow.room = 1;
  const base = await s.leased(slow, file);
  await s.leased(quick, file);
  s.askAll(slow, base, file.size);
  s.askAll(quick, 0, file.size);
  await quick.until(() => quick.open.size === 0);
  t.ok(received(quick, 0, file.size).equals(file.data), 'others are not held up');
  t.ok(slow.upBytes <= 2 * 512 * 1024, `${slow.upBytes} bytes at most`);
  slow.room = Infinity;
  s.uploads.drained(slow);
  await slow.until(() => slow.open.size === 0);
  t.ok(received(slow, base, file.size).equals(file.data));
});

t.test('what is cancelled is rejected and not sent', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 4 * PIECE_BYTES);
  const link = s.link();
  const base = await s.leased(link, file);
  s.askAll(link, base, file.size);
  const block = { index: base + 1, offset: BLOCK_BYTES, length: BLOCK_BYTES };
  s.uploads.cancelled(link, block);
  s.uploads.cancelled(link, { ...block, index: 77 });
  t.strictSame(link.of('reject'), [{ type: 'reject', block }]);
  await link.until(() => link.open.size === 0);
  t.equal(link.of('piece').length, 31);
});

t.test('unwant while blocks are on their way: each request is still answered', async (t) => {
  const s = await uploadScene(t, SLOW_DISK);
  const file = s.store('file', 4 * PIECE_BYTES);
  const link = s.link();
  const [number] = s.want(link, file);
  await link.until(() => link.of('offer').length === 1);
  s.askAll(link, 0, file.size);
  await new Promise<void>(queueMicrotask);
  s.uploads.message(link, { type: 'unwant', files: [number as number] });
  await link.until(() => link.open.size === 0);
  t.equal(link.of(...done).length, 32);
  s.ask(link, 0, 0, BLOCK_BYTES);
  t.equal(link.of('reject').length, link.of(...done).length - link.of('piece').length);
});

t.test('a link that closes gets nothing more', async (t) => {
  const s = await uploadScene(t, SLOW_DISK);
  const file = s.store('file', 4 * PIECE_BYTES);
  const link = s.link();
  s.askAll(link, await s.leased(link, file), file.size);
  await new Promise<void>(queueMicrotask);
  link.close({ kind: 'closed', message: 'gone' });
  s.uploads.linkClosed(link);
  s.uploads.linkClosed(link);
  s.uploads.message(link, { type: 'unwant', files: [0] });
  await s.uploads.stop();
  t.equal(link.of(...done).length, 0);
});

t.test('of a partial file only what may be offered is given', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('partial', 3 * PIECE_BYTES);
  const link = s.link();
  s.want(link, file);
  const pieces = new Bitmap(3);
  pieces.set(1);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  s.askAll(link, 0, file.size);
  await link.until(() => link.open.size === 0);
  t.equal(link.of('reject').length, 16);
  t.strictSame([...new Set(link.of('piece').map(({ block }) => block.index))], [1]);
  t.ok(
    received(link, 0, file.size)
      .subarray(PIECE_BYTES, 2 * PIECE_BYTES)
      .equals(file.data.subarray(PIECE_BYTES, 2 * PIECE_BYTES)),
  );
});

t.test('a transfer that starts again takes its offer back, and offers anew to who asks again', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('restarted', 3 * PIECE_BYTES);
  const link = s.link();
  const [first] = s.want(link, file);
  const pieces = new Bitmap(3);
  pieces.set(1);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  s.uploads.forget(file.sha256);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  t.equal(link.of('offer').length, 1, 'one offer for a want');
  s.uploads.message(link, { type: 'unwant', files: [first as number] });
  const base = await s.leased(link, file);
  t.strictSame(link.of('retract'), [{ type: 'retract', bases: [0] }]);
  t.ok(base >= 3, 'indexes are not used again');
  s.askAll(link, base, file.size);
  await link.until(() => link.open.size === 0);
  t.strictSame([...new Set(link.of('piece').map(({ block }) => block.index))], [base + 1]);
});

t.test('a verified file is served from its first name, and from its last when it has moved', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('partial name', 2 * PIECE_BYTES);
  const finalPath = join(s.directory, 'final name');
  const link = s.link();
  s.want(link, file);
  s.uploads.verified(file.sha256, file.size, file.path, finalPath);
  s.ask(link, 0, 0, BLOCK_BYTES);
  await link.until(() => link.open.size === 0);
  renameSync(file.path, finalPath);
  // The first name may be another download's by then: it must not be read.
  writeFileSync(file.path, Buffer.alloc(file.size));
  s.clock.advance(40_000);
  s.askAll(link, 0, file.size);
  await link.until(() => link.open.size === 0);
  t.equal(link.of('reject').length, 0);
  t.ok(received(link, 0, file.size).equals(file.data));
});

for (const [how, spoil] of [
  ['is gone', rmSync],
  ['was cut', (path: string) => truncateSync(path, 100)],
  ['has grown', (path: string) => appendFileSync(path, 'x')],
] as const) {
  for (const [disk, over] of DISKS) {
    t.test(
      `a file that ${how} is retracted, its requests are rejected, the log says so once: ${disk} disk`,
      async (t) => {
        const s = await uploadScene(t, over);
        const file = s.store('file', 4 * PIECE_BYTES);
        const links = [s.link(), s.link()];
        for (const link of links) await s.leased(link, file);
        spoil(file.path);
        for (const link of links) s.askAll(link, 0, file.size);
        for (const link of links) {
          await link.until(() => link.open.size === 0);
          t.equal(link.of('reject').length, 32);
          t.strictSame(link.of('retract'), [{ type: 'retract', bases: [0] }]);
        }
        t.equal(s.log.of('a file cannot be read for peers any more').length, 1);
        s.stored.delete(file.sha256);
        const other = s.link();
        s.want(other, file);
        await other.until(() => other.of('none').length === 1);
        t.strictSame(openFiles(s), []);
      },
    );
  }
}

t.test('a file that is written to while it is open is not served on', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 2 * PIECE_BYTES);
  const link = s.link();
  await s.leased(link, file);
  s.ask(link, 0, 0, BLOCK_BYTES);
  await link.until(() => link.open.size === 0);
  writeFileSync(file.path, Buffer.alloc(file.size));
  utimesSync(file.path, 1, 1);
  s.ask(link, 0, BLOCK_BYTES, BLOCK_BYTES);
  await link.until(() => link.open.size === 0);
  t.equal(link.of('reject').length, 1);
  t.equal(link.of('retract').length, 1);
});

t.test('the limit holds, and no peer starves', async (t) => {
  const rate = 1_000_000;
  const s = await uploadScene(t, { limit: new TokenBucket({ rate }) });
  const file = s.store('file', 4 * PIECE_BYTES);
  const links = [s.link(), s.link(), s.link()];
  for (const link of links) {
    await s.leased(link, file);
    s.uploads.interested(link);
    s.askAll(link, 0, file.size);
  }
  const total = () => links.reduce((sum, { upBytes }) => sum + upBytes, 0);
  const start = s.clock.now();
  while (links.some((link) => link.open.size > 0)) {
    await new Promise(setImmediate);
    s.clock.advance(20);
    const most = ((s.clock.now() - start) * rate) / 1000 + BLOCK_BYTES;
    if (total() > most) t.fail(`${total()} bytes, ${most} at most`);
    const amounts = links.map(({ upBytes }) => upBytes);
    if (Math.max(...amounts) - Math.min(...amounts) > 4 * BLOCK_BYTES) t.fail(`not in turn: ${amounts.join()}`);
  }
  t.ok(s.clock.now() - start >= ((total() - BLOCK_BYTES) * 1000) / rate);
});

import t from 'tap';

import type { Sha256 } from '../../../../src/core/ids.ts';
import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { TokenBucket } from '../../../../src/core/swarm/token-bucket.ts';
import { RootHasher } from '../../../../src/core/swarm/tree.ts';
import { createHashing } from '../../../../src/actors/hashing.ts';
import type { FakeLink } from './fake-link.ts';
import { TORRENT, uploadScene } from './upload-scene.ts';

const EMPTY = new Uint8Array(0);

t.test('the roots of a verified file are hashed once, for all who ask', async (t) => {
  const hashing = createHashing({ threads: 1, maxQueue: 10 });
  t.teardown(() => hashing.close());
  let hashed = 0;
  const s = await uploadScene(t, {
    pieceRoots(path, size) {
      hashed += 1;
      return hashing.pieceRoots(path, size);
    },
  });
  const file = s.store('file', 3 * PIECE_BYTES + 20_000);
  const hasher = new RootHasher();
  hasher.update(file.data);
  const roots = new Uint8Array(hasher.finish());
  const links = [s.link(), s.link()];
  for (const link of links) {
    await s.leased(link, file);
    s.uploads.message(link, { type: 'tree-request', file: link.of('offer')[0]?.file as number });
  }
  for (const link of links) {
    await link.until(() => link.of('tree').length === 1);
    const [tree] = link.of('tree');
    t.strictSame(new Uint8Array(tree?.roots as Uint8Array), roots);
  }
  s.uploads.message(links[0] as (typeof links)[0], { type: 'tree-request', file: 0 });
  t.equal(links[0]?.of('tree').length, 2, 'then it is there at once');
  t.equal(hashed, 1);
});

t.test('there are no roots of what is not wanted, not verified, too large or not readable', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  const ask = (file: number) => s.uploads.message(link, { type: 'tree-request', file });
  ask(77);
  t.strictSame(link.of('tree'), [{ type: 'tree', file: 77, roots: EMPTY }]);

  const partial = s.publish('partial', 2 * PIECE_BYTES);
  s.uploads.partial(partial.sha256, partial.size, partial.path, Bitmap.full(2));
  const [second] = s.want(link, partial);
  ask(second as number);
  t.strictSame(link.of('tree')[1], { type: 'tree', file: second, roots: EMPTY });

  const huge = { sha256: 'cc'.repeat(32) as Sha256, size: 9_000 * PIECE_BYTES };
  s.catalogue.set(huge.sha256, { size: huge.size, torrents: [TORRENT] });
  s.uploads.verified(huge.sha256, huge.size, 'nowhere', 'nowhere');
  const [third] = s.want(link, huge);
  ask(third as number);
  t.strictSame(link.of('tree')[2], { type: 'tree', file: third, roots: EMPTY });

  const unreadable = s.store('unreadable', PIECE_BYTES);
  const [fourth] = s.want(link, unreadable);
  await link.until(() => link.of('offer').length === 3);
  ask(fourth as number);
  await link.until(() => link.of('tree').length === 4);
  t.strictSame(link.of('tree')[3], { type: 'tree', file: fourth, roots: EMPTY });
});

t.test('few files are hashed at a time, and who left gets no answer', async (t) => {
  const finish: ((roots: Uint8Array) => void)[] = [];
  let started = 0;
  const s = await uploadScene(t, {
    pieceRoots: () => {
      started += 1;
      return new Promise((resolve) => finish.push(resolve));
    },
  });
  const files = Array.from({ length: 16 }, (_, n) => s.store(`f${n}`, 2 * PIECE_BYTES));
  const [link, leaves] = [s.link(), s.link()];
  for (const l of [leaves, link]) {
    s.want(l, ...files);
    await l.until(() => l.of('offer').length === 16);
    for (const { file } of l.of('offer')) s.uploads.message(l, { type: 'tree-request', file });
  }
  s.uploads.linkClosed(leaves);
  t.equal(started, 1);
  while (link.of('tree').length < 16) {
    t.ok(finish.length <= 1);
    finish.shift()?.(new Uint8Array(64));
    await new Promise(setImmediate);
  }
  t.equal(started, 16);
  t.ok(link.of('tree').every(({ roots }) => roots.length === 64));
  t.equal(leaves.of('tree').length, 0);
});

t.test('no peer is sent trees again and again, and those that are sent count as uploads', async (t) => {
  const limit = new TokenBucket({ rate: 1_000, burst: 10_000_000 });
  const s = await uploadScene(t, {
    limit,
    pieceRoots: (_path, size) => Promise.resolve(new Uint8Array((size / PIECE_BYTES) * 32)),
  });
  const file = { size: 2_000 * PIECE_BYTES, sha256: 'ab'.repeat(32) as Sha256 };
  s.catalogue.set(file.sha256, { size: file.size, torrents: [TORRENT] });
  s.uploads.verified(file.sha256, file.size, 'x', 'x');
  const sent = async (link: FakeLink) => {
    const [number] = s.want(link, file);
    for (let n = 1; n <= 100; n++) {
      s.uploads.message(link, { type: 'tree-request', file: number as number });
      await link.until(() => link.of('tree').length === n);
    }
    return link.of('tree').reduce((bytes, { roots }) => bytes + roots.length, 0);
  };
  t.equal(await sent(s.link()), 16 * 64_000, 'some, and then empty ones');
  t.equal(await sent(s.link()), 16 * 64_000, 'another peer has its own');
  const left = 10_000_000 - 2 * 16 * 64_000;
  t.ok(limit.take(left + 1, s.clock.now()) > 0);
  t.equal(limit.take(left, s.clock.now()), 0);
});

t.test('no peer can have files hashed again and again', async (t) => {
  let hashed = 0;
  const s = await uploadScene(t, {
    pieceRoots: (_path, size) => {
      hashed += size;
      return Promise.resolve(new Uint8Array((size / PIECE_BYTES) * 32));
    },
  });
  const link = s.link();
  const size = 2_000 * PIECE_BYTES;
  // More than are kept, in turn.
  const files = Array.from({ length: 80 }, (_, n) => ({ size, sha256: n.toString(16).padStart(64, '0') as Sha256 }));
  for (const { sha256 } of files) {
    s.catalogue.set(sha256, { size, torrents: [TORRENT] });
    s.uploads.verified(sha256, size, 'x', 'x');
  }
  const numbers = [...s.want(link, ...files.slice(0, 40)), ...s.want(link, ...files.slice(40))];
  for (let round = 0; round < 3; round++) {
    for (const file of numbers) {
      s.uploads.message(link, { type: 'tree-request', file });
      await new Promise(setImmediate);
    }
  }
  t.equal(link.of('tree').length, 240, 'all are answered');
  t.ok(hashed <= 8 * 1024 ** 3, `${hashed} bytes hashed`);
});

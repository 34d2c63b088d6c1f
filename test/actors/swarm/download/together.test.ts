import t from 'tap';

import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { PRESUME_MS } from '../../../../src/core/swarm/fetching-together.ts';
import { EXPECT_MS, NAME_MS, SILENT_MS } from '../../../../src/core/swarm/taker.ts';
import { rank } from '../../../../src/core/swarm/weights.ts';
import type { FakePeer } from './fake-peer.ts';
import { content, MIB, scene, type Scene } from './scene.ts';

const SELF = Buffer.from('-DT2000-self--------').toString('hex');

function bits(pieces: number, set: Iterable<number>): Uint8Array {
  const bitmap = new Bitmap(pieces);
  for (const piece of set) bitmap.set(piece);
  return bitmap.toBytes();
}

function fetchings({ heard }: FakePeer, pieces: number): number[][] {
  return heard.flatMap((message) =>
    message.type === 'fetching' ? [[...(Bitmap.parse(message.pieces, pieces) ?? [])]] : [],
  );
}

/** A file of eight pieces that another machine wants too, and which pieces fall to whom. */
async function shared(it: Scene) {
  const file = content('together', 8 * MIB);
  const peer = it.peer('other');
  it.wanters.add(peer);
  const view = await it.settled(it.downloads.seek(it.wanted(file)));
  const mine = [...Array(8).keys()].filter((piece) => rank(file.sha256, piece, [SELF, peer.peerId])[0] === SELF);
  const theirs = [...Array(8).keys()].filter((piece) => !mine.includes(piece));
  return { file, peer, view, mine, theirs };
}

const pieces = (ranges: readonly (readonly [number, number])[]) =>
  ranges.flatMap(([start, end]) => Array.from({ length: (end - start) / MIB }, (_, n) => start / MIB + n));

t.test('with another who wants the same file each leaves to the other what falls to it', async (t) => {
  const it = scene();
  const { file, peer, view, mine, theirs } = await shared(it);
  t.strictSame(pieces(view.elsewhere), theirs);
  t.ok(it.clock.now() <= 60);
  const first = mine[0] as number;
  it.downloads.mirrored(1, [[first * MIB, first * MIB + 1000]], []);
  t.strictSame(fetchings(peer, 8), [mine], 'it says what it is taking and what it will take next');
  it.downloads.remoteFetching(peer, file.sha256, bits(8, theirs));
  await it.pass(1_000);
  it.downloads.mirrored(1, [[first * MIB, first * MIB + 1000]], []);
  t.equal(fetchings(peer, 8).length, 2, 'and again while bytes arrive');
  it.downloads.mirrored(1, [[first * MIB, first * MIB + 2000]], []);
  t.equal(fetchings(peer, 8).length, 2, 'but not all the time');
  await it.pass(SILENT_MS);
  await it.until(() => it.views.get(1)?.elsewhere.length === 0);
  t.pass('who falls silent is not waited for');
  await it.stop();
});

t.test('who does not name its pieces in time is not waited for', async (t) => {
  const it = scene();
  await shared(it);
  const begun = it.clock.now();
  await it.until(() => it.views.get(1)?.elsewhere.length === 0);
  t.ok(it.clock.now() - begun <= NAME_MS + 10, `${it.clock.now() - begun} ms`);
  await it.stop();
});

t.test('one in step with this machine is reckoned with before it has said what it wants', async (t) => {
  const it = scene();
  const peer = it.peer('other');
  /** Both want a file; the other says so after some time. */
  const both = async (id: number, afterMs: number) => {
    const file = content(`step ${id}`, 8 * MIB);
    const first = it.settled(it.downloads.seek(it.wanted(file, id)));
    await it.pass(afterMs);
    it.downloads.remoteWant(peer, file.sha256, true);
    const theirs = [...Array(8).keys()].filter((piece) => rank(file.sha256, piece, [SELF, peer.peerId])[0] !== SELF);
    return { view: await first, theirs };
  };
  peer.mute = true;
  const { view } = await both(1, 100);
  t.strictSame(view, { asked: 1, unanswered: true, wanters: 0, available: [], elsewhere: [] }, 'not known yet');
  const next = await both(2, 100);
  t.match(next.view, { wanters: 1, unanswered: true });
  t.strictSame(pieces(next.view.elsewhere), next.theirs);
  const alone = content('alone', 8 * MIB);
  const begun = it.clock.now();
  t.not((await it.settled(it.downloads.seek(it.wanted(alone, 3)))).elsewhere.length, 0);
  await it.until(() => it.views.get(3)?.elsewhere.length === 0);
  t.ok(it.clock.now() - begun <= EXPECT_MS + 10, 'for some time');
  const elsewhere = async (id: number) =>
    (await it.settled(it.downloads.seek(it.wanted(content(`other ${id}`, 8 * MIB), id)))).elsewhere.length;
  t.not(await elsewhere(4), 0);
  await it.pass(EXPECT_MS + 10);
  t.equal(await elsewhere(5), 0, 'who is silent about as many is out of step');
  await both(6, 100);
  t.not(await elsewhere(7), 0);
  peer.mute = false;
  await elsewhere(8);
  peer.mute = true;
  t.equal(await elsewhere(9), 0, 'and so is who answers and does not want them');
  await it.stop();
});

t.test('who came to a file earlier is taken to be getting it until it says so', async (t) => {
  const it = scene();
  const peer = it.peer('other');
  it.earlier.add(peer);
  peer.mute = true;
  const whole = [[0, 8 * MIB]];
  const waited = async (id: number, end: () => void) => {
    const file = content(`earlier ${id}`, 8 * MIB);
    const begun = it.clock.now();
    const { elsewhere } = await it.settled(it.downloads.seek(it.wanted(file, id)));
    t.strictSame(elsewhere, whole);
    end();
    await it.until(() => it.views.get(id)?.elsewhere.length === 0);
    return it.clock.now() - begun;
  };
  const none = (id: number) =>
    peer.says({ type: 'none', files: [peer.numberOf(content(`earlier ${id}`, 8 * MIB).sha256) as number] });
  const told = await waited(1, () => none(1));
  t.ok(told < 100, `what it says counts: ${told} ms`);
  for (let id = 2; id <= 5; id++) {
    const silent = await waited(id, () => undefined);
    t.ok(silent >= PRESUME_MS && silent <= PRESUME_MS + 20, `it is silent: ${silent} ms`);
  }
  const seek = async (id: number) =>
    (await it.settled(it.downloads.seek(it.wanted(content(`earlier ${id}`, 8 * MIB), id)))).elsewhere;
  t.strictSame(await seek(6), [], 'nothing is left any more to who says nothing of four files');
  none(6);
  t.strictSame(await seek(7), whole, 'until it answers');
  await it.pass(PRESUME_MS + 10);
  for (let id = 8; id <= 11; id++) {
    t.strictSame(await seek(id), [], 'four times for each silence');
    none(id);
  }
  t.strictSame(await seek(12), whole);
  peer.close({ kind: 'closed', message: 'gone' });
  const left = it.clock.now();
  await it.until(() => it.views.get(12)?.elsewhere.length === 0);
  t.ok(it.clock.now() - left < 100, 'nor to one that is gone');
  await it.stop();
});

t.test('who leaves, or has what it wanted, hands its pieces on', async (t) => {
  for (const leave of [
    (_: Scene, peer: FakePeer) => peer.close({ kind: 'closed', message: 'gone' }),
    (it: Scene, peer: FakePeer) => it.downloads.remoteWant(peer, content('together', 8 * MIB).sha256, false),
  ]) {
    const it = scene();
    const { file, peer, theirs } = await shared(it);
    it.downloads.remoteFetching(peer, file.sha256, bits(8, theirs));
    await it.pass(50);
    leave(it, peer);
    const begun = it.clock.now();
    await it.until(() => it.views.get(1)?.elsewhere.length === 0);
    t.ok(it.clock.now() - begun < 10);
    await it.stop();
  }
});

t.test('a piece that the other has got is available and no longer elsewhere', async (t) => {
  const it = scene();
  const { file, peer, theirs } = await shared(it);
  it.downloads.remoteFetching(peer, file.sha256, bits(8, theirs));
  peer.says({ type: 'offer', file: 1, base: 40, pieces: 8, have: bits(8, []) });
  const piece = theirs[0] as number;
  it.downloads.have(peer, 40 + piece);
  await it.until(() => it.views.get(1)?.available.length === 1);
  t.strictSame(pieces(it.views.get(1)?.available ?? []), [piece]);
  t.strictSame(pieces(it.views.get(1)?.elsewhere ?? []), theirs.slice(1));
  await it.stop();
});

t.test('a piece that both have begun is left to the one it falls to, unless a quarter of it has come', async (t) => {
  for (const [came, isLeft] of [
    [MIB / 8, true],
    [MIB / 4, false],
  ] as const) {
    const it = scene();
    const { file, peer, theirs } = await shared(it);
    const start = (theirs[0] as number) * MIB;
    it.downloads.mirrored(1, [[start, start + MIB]], [[start, start + came]]);
    await it.until(() => it.views.has(1));
    t.notOk(pieces(it.views.get(1)?.elsewhere ?? []).includes(start / MIB), 'nobody else says so');
    it.downloads.remoteFetching(peer, file.sha256, bits(8, theirs));
    await it.pass(100);
    it.downloads.mirrored(1, [[start, start + MIB]], [[start, start + came]]);
    await it.pass(50);
    t.equal(pieces(it.views.get(1)?.elsewhere ?? []).includes(start / MIB), isLeft, `${came} bytes`);
    await it.stop();
  }
});

t.test('one who comes later hears at once what is being taken', async (t) => {
  const it = scene();
  const file = content('early', 3 * MIB);
  const peer = it.peer('late');
  await it.settled(it.downloads.seek(it.wanted(file)));
  it.downloads.mirrored(1, [[0, 3 * MIB]], []);
  t.strictSame(fetchings(peer, 3), []);
  it.downloads.remoteWant(peer, file.sha256, true);
  t.strictSame(fetchings(peer, 3), [[0, 1, 2]]);
  t.equal(peer.heard[0]?.type, 'want', 'after the want that it refers to');
  it.downloads.mirrored(1, [], [[0, 3 * MIB]]);
  t.strictSame(fetchings(peer, 3).at(-1), [], 'and when it is done');
  await it.stop();
});

t.test('who lets others wait in vain in some files is not waited for in the next', async (t) => {
  const it = scene();
  const peer = it.peer('idle');
  it.wanters.add(peer);
  const waits: number[] = [];
  const wanters: number[] = [];
  for (let id = 1; id <= 40; id++) {
    const view = await it.settled(it.downloads.seek(it.wanted(content(`file ${id}`, 1000), id)));
    wanters.push(view.wanters);
    if (view.elsewhere.length > 0) {
      waits.push(id);
      await it.until(() => it.views.get(id)?.elsewhere.length === 0);
    }
    it.downloads.over(id, true);
  }
  t.equal(waits.length, 3);
  t.strictSame([wanters[0], wanters.at(-1)], [1, 0], 'nor is the work shared with it');
  await it.stop();
});

t.test('who names pieces of a file and leaves it is not waited for in the next', async (t) => {
  const it = scene();
  const { file, peer, view } = await shared(it);
  t.not(view.elsewhere.length, 0);
  for (let ms = 0; ms < 5_000; ms += 500) {
    it.downloads.remoteFetching(peer, file.sha256, bits(8, [0, 1, 2, 3, 4, 5, 6, 7]));
    await it.pass(500);
  }
  it.downloads.remoteWant(peer, file.sha256, false);
  it.downloads.over(1, true);
  const next = await it.settled(it.downloads.seek(it.wanted(content('next', 8 * MIB), 2)));
  t.match(next, { wanters: 0, elsewhere: [] });
  await it.stop();
});

t.test('an offer of what fell to it keeps the word of a peer that wants the file too', async (t) => {
  const it = scene();
  const peer = it.peer('idle');
  it.wanters.add(peer);
  let waits = 0;
  for (let id = 1; id <= 60; id++) {
    const file = content(`file ${id}`, 1000);
    const { elsewhere } = await it.settled(it.downloads.seek(it.wanted(file, id)));
    if (elsewhere.length > 0) {
      waits += 1;
      if (waits === 3) {
        peer.says({ type: 'offer', file: peer.numberOf(file.sha256) as number, base: 1_000, pieces: 1 });
      }
      await it.until(() => it.views.get(id)?.elsewhere.length === 0);
    }
    it.downloads.over(id, true);
  }
  t.equal(waits, 6, 'three broken words in a row');
  await it.stop();
});

t.test('a bitmap of another size is a fault', async (t) => {
  const it = scene();
  const { file, peer } = await shared(it);
  it.downloads.remoteFetching(peer, file.sha256, Buffer.alloc(2));
  t.match(it.bans, [{ peerId: peer.peerId, fault: { kind: 'protocol' } }]);
  await it.stop();
});

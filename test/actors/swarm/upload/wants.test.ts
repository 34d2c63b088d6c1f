import t from 'tap';

import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import type { StoredFile } from '../../../../src/actors/store/protocol.ts';
import { OTHER, TORRENT, uploadScene } from './upload-scene.ts';

const answers = ['offer', 'none'] as const;

t.test('what the store has is offered, what it has not is none, and both are remembered', async (t) => {
  const s = await uploadScene(t);
  const here = s.store('here', 3 * PIECE_BYTES + 1);
  const away = s.publish('away', 100);
  const link = s.link();
  const [first, second] = s.want(link, here, away);
  await link.until(() => link.of(...answers).length === 2);
  t.strictSame(link.of('offer'), [{ type: 'offer', file: first, base: 0, pieces: 4 }]);
  t.strictSame(link.of('none'), [{ type: 'none', files: [second] }]);
  t.equal(s.looked.length, 2);
  const other = s.link();
  s.want(other, here, away);
  t.equal(other.of(...answers).length, 2, 'at once');
  t.equal(s.looked.length, 2, 'without asking again');
});

t.test('a file that comes later is offered to who still waits', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('later', 100);
  const [waits, left] = [s.link(), s.link()];
  const [number] = s.want(waits, file);
  const [gone] = s.want(left, file);
  await left.until(() => left.of('none').length === 1);
  s.uploads.message(left, { type: 'unwant', files: [gone as number] });
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  t.match(waits.of(...answers), [{ type: 'none' }, { type: 'offer', file: number, base: 0, pieces: 1 }]);
  t.equal(left.of('offer').length, 0);
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  t.equal(waits.of('offer').length, 1, 'there is one offer for each want');
});

t.test(
  'only what is in a torrent in common, with the right size, is offered; nothing else is even looked up',
  async (t) => {
    const s = await uploadScene(t);
    const hidden = s.store('private', 100, []);
    const foreign = s.store('foreign', 100, [OTHER]);
    const unlisted = s.store('unlisted', 100);
    s.catalogue.delete(unlisted.sha256);
    const known = s.store('known', 100);
    const link = s.link();
    for (const file of [hidden, foreign, unlisted, known]) s.uploads.verified(file.sha256, 100, file.path, file.path);
    const numbers = s.want(link, hidden, foreign, unlisted, { ...known, size: 101 });
    t.strictSame(link.of(...answers), [{ type: 'none', files: numbers }]);
    t.strictSame(s.looked, []);
    t.strictSame(s.uploads.wantersOf(hidden.sha256), []);
    t.strictSame([...s.uploads.wanted()], []);
    t.strictSame(s.wantChanges, []);
  },
);

t.test('a file of another size than the catalogue says is not offered', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('odd', 100);
  s.stored.set(file.sha256, { ...(s.stored.get(file.sha256) as StoredFile), size: 99 });
  const link = s.link();
  s.want(link, file);
  await link.until(() => link.of('none').length === 1);
  t.equal(link.of('offer').length, 0);
});

t.test('more torrents in common, or a new catalogue, answer wants that were none; fewer retract', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('shared', 100, [OTHER]);
  const link = s.link();
  const [number] = s.want(link, file);
  t.strictSame(link.of(...answers), [{ type: 'none', files: [number] }]);
  link.common = [TORRENT, OTHER];
  s.uploads.torrentsChanged(link);
  await link.until(() => link.of('offer').length === 1);
  t.strictSame(s.wantChanges, [[link.name, file.sha256, true]]);
  s.catalogue.clear();
  s.uploads.catalogueChanged();
  s.clock.advance(1_500);
  t.strictSame(link.of('retract'), [{ type: 'retract', bases: [0] }]);
  t.strictSame(s.wantChanges.at(-1), [link.name, file.sha256, false]);
  s.ask(link, 0, 0, 100);
  t.equal(link.of('reject').length, 1, 'and nothing of it is given any more');
});

t.test('who came to a file earlier is getting it, or has got it just now', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('both', 100);
  const hidden = s.publish('hidden', 100, [OTHER]);
  const [a, b] = [s.link(), s.link()];
  const [number, other] = s.want(a, file, hidden);
  t.strictSame([...s.uploads.earlier(file.sha256)], [], 'both may have begun at the same time');
  s.clock.advance(50);
  s.want(b, file);
  t.strictSame([...s.uploads.earlier(file.sha256)], [a]);
  t.strictSame([...s.uploads.earlier(hidden.sha256)], [], 'not what is in no torrent in common');
  s.uploads.message(a, { type: 'unwant', files: [number as number, other as number] });
  t.strictSame([...s.uploads.earlier(file.sha256)], [a]);
  s.clock.advance(2_000);
  t.strictSame([...s.uploads.earlier(file.sha256)], [a, b]);
  s.clock.advance(1);
  t.strictSame([...s.uploads.earlier(file.sha256)], [b], 'for some time');
  s.uploads.linkClosed(b);
  t.strictSame([...s.uploads.earlier(file.sha256)], [], 'a link that is gone says nothing');
  const c = s.link();
  s.uploads.message(c, { type: 'unwant', files: s.want(c, file) });
  t.strictSame([...s.uploads.earlier(file.sha256)], [c]);
  s.uploads.linkClosed(c);
  t.strictSame([...s.uploads.earlier(file.sha256)], [], 'nor one that went when it had got it');
  // what is remembered is bounded
  for (let n = 0; n < 1_100; n++) s.uploads.message(a, { type: 'unwant', files: s.want(a, s.publish(`${n}`, 10)) });
  t.equal(s.uploads.earlier(s.publish('0', 10).sha256).size, 0);
  t.equal(s.uploads.earlier(s.publish('1099', 10).sha256).size, 1);
});

t.test('who wants what is told and counted as long as it is so', async (t) => {
  const s = await uploadScene(t);
  const both = s.publish('both', 100, [TORRENT, OTHER]);
  const one = s.publish('one', 100);
  const [a, b] = [s.link([TORRENT, OTHER]), s.link()];
  const [number] = s.want(a, both, one);
  s.want(b, both);
  t.strictSame(s.uploads.wantersOf(both.sha256), [a, b]);
  t.equal(s.uploads.wantOf(a, number as number), both.sha256);
  t.strictSame(
    s.uploads.wanted(),
    new Map([
      [TORRENT, 2],
      [OTHER, 1],
    ]),
  );
  s.uploads.message(a, { type: 'unwant', files: [number as number, 4_000_000] });
  t.strictSame(s.uploads.wantersOf(both.sha256), [b]);
  t.equal(s.uploads.wantOf(a, number as number), undefined);
  s.uploads.linkClosed(b);
  t.strictSame(s.uploads.wantersOf(both.sha256), []);
  t.strictSame(s.uploads.wanted(), new Map([[TORRENT, 1]]));
  t.strictSame(
    s.wantChanges.map(([link, , wanting]) => [link, wanting]),
    [
      [a.name, true],
      [a.name, true],
      [b.name, true],
      [a.name, false],
      [b.name, false],
    ],
  );
});

t.test('the store is asked for few files at a time for each peer, once for each file', async (t) => {
  const waiting: (() => void)[] = [];
  let most = 0;
  const s = await uploadScene(t, {
    find: () =>
      new Promise((resolve) => {
        waiting.push(() => resolve(undefined));
        most = Math.max(most, waiting.length);
      }),
  });
  const files = Array.from({ length: 64 }, (_, n) => s.publish(`f${n}`, 10));
  const links = [s.link(), s.link()];
  for (const link of links) s.want(link, ...files);
  let answered = 0;
  while (links.some((link) => link.of('none').flatMap((none) => none.files).length < 64)) {
    waiting.shift()?.();
    answered += 1;
    await new Promise(setImmediate);
    s.clock.advance(10);
    if (answered > 1000) break;
  }
  t.ok(most <= 16, `${most} at a time`);
  t.ok(links.every((link) => link.of('none').flatMap((none) => none.files).length === 64));
});

t.test('a store that is slow does not keep a peer waiting: none for now, an offer when it is found', async (t) => {
  let found: (file: StoredFile | undefined) => void = () => {};
  const s = await uploadScene(t, {
    find: () =>
      new Promise((resolve) => {
        found = resolve;
      }),
  });
  const file = s.store('f', 10);
  const link = s.link();
  s.want(link, file);
  s.clock.advance(4_000);
  t.equal(link.of('none').length, 1);
  found(s.stored.get(file.sha256));
  await link.until(() => link.of('offer').length === 1);
  t.equal(link.of('none').length, 1);
  s.clock.advance(2_000);
  s.uploads.linkClosed(link);
  t.equal(s.clock.timers, 0, 'no timer is left');
});

t.test('a store that fails is a store without the file, for now', async (t) => {
  let failing = true;
  const s = await uploadScene(t, {
    find: () => (failing ? Promise.reject(new Error('no')) : Promise.resolve(s.stored.get(file.sha256))),
  });
  const file = s.store('f', 10);
  const link = s.link();
  s.want(link, file);
  await link.until(() => link.of('none').length === 1);
  failing = false;
  const other = s.link();
  t.equal(await s.leased(other, file), 0);
});

t.test('a file that may have changed on disk is none until its hash was checked', async (t) => {
  let right: (isRight: boolean) => void = () => {};
  const s = await uploadScene(t, {
    check: () =>
      new Promise((resolve) => {
        right = resolve;
      }),
  });
  const good = s.store('good', 10, [TORRENT], false);
  const bad = s.store('bad', 10, [TORRENT], false);
  const link = s.link();
  const [first] = s.want(link, good, bad);
  await link.until(() => link.of('none').flatMap((none) => none.files).length === 2);
  right(true);
  await link.until(() => link.of('offer').length === 1);
  t.equal(link.of('offer')[0]?.file, first);
  right(false);
  await new Promise(setImmediate);
  t.equal(link.of('offer').length, 1);
});

t.test('a file that was checked long ago is offered at once, and taken back if its check fails', async (t) => {
  let right: (isRight: boolean) => void = () => {};
  const s = await uploadScene(t, {
    check: () =>
      new Promise((resolve) => {
        right = resolve;
      }),
  });
  const [good, bad] = [s.store('good', 10), s.store('bad', 10)];
  for (const { sha256 } of [good, bad]) {
    s.stored.set(sha256, { ...(s.stored.get(sha256) as StoredFile), checkAgain: true });
  }
  const link = s.link();
  await s.leased(link, good);
  await s.leased(link, bad);
  right(true);
  await new Promise(setImmediate);
  s.stored.delete(bad.sha256);
  right(false);
  const other = s.link();
  await new Promise(setImmediate);
  s.want(other, bad);
  await other.until(() => other.of('none').length === 1);
  t.equal(await s.leased(other, good), 0, 'the one that was right is still offered');
});

t.test('a partial file is offered with its pieces, and each new one is announced', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('big', 3 * PIECE_BYTES);
  const [early, late] = [s.link(), s.link()];
  s.want(early, file);
  const pieces = new Bitmap(3);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  t.equal(early.of('offer').length, 0, 'not before there are any');
  s.want(late, file);
  t.equal(late.of('none').length, 1);
  pieces.set(1);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  t.match(early.of('offer'), [{ base: 0, pieces: 3, have: new Uint8Array([0x40]) }]);
  t.match(late.of('offer'), [{ base: 0, pieces: 3, have: new Uint8Array([0x40]) }]);
  pieces.set(0);
  t.equal(early.of('have').length, 0, 'the set was copied');
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  t.strictSame(early.of('have'), [{ type: 'have', index: 0 }]);
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  for (const link of [early, late]) {
    t.strictSame(
      link.of('have').map(({ index }) => index),
      [0, 2],
    );
  }
  t.equal(early.of('offer').length, 1);
  t.match(
    [early, late].map((link) => link.of('retract').length),
    [0, 0],
  );
});

t.test('a small file that came from a peer while others want it is offered to who still wants it later', async (t) => {
  const s = await uploadScene(t);
  const [file, own] = [s.publish('passed on', 10), s.publish('from the mirror', 10)];
  const [quick, slow] = [s.link(), s.link()];
  const [number] = s.want(quick, file);
  s.want(slow, file);
  s.want(slow, own);
  for (const { sha256, size, path } of [file, own]) s.uploads.partial(sha256, size, path, new Bitmap(1));
  s.uploads.partial(own.sha256, own.size, own.path, Bitmap.full(1));
  t.equal(slow.of('offer').length, 1, 'what this machine took from the mirror is offered at once');
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  t.equal(await s.leased(s.link(), file), 0, 'who asks later has it at once');
  s.uploads.message(quick, { type: 'unwant', files: [number as number] });
  s.clock.advance(149);
  t.equal(slow.of('offer').length, 1);
  s.clock.advance(1);
  t.equal(slow.of('offer').length, 2);
  t.equal(quick.of('offer').length, 0);
});

t.test('a small file that is gone again is not offered later', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('gone', 10);
  const link = s.link();
  s.want(link, file);
  s.uploads.partial(file.sha256, file.size, file.path, new Bitmap(1));
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  s.uploads.forget(file.sha256);
  s.clock.advance(1_000);
  t.equal(link.of('offer').length, 0);
});

t.test('a partial file that is given up is retracted', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('failed', 2 * PIECE_BYTES);
  const link = s.link();
  s.want(link, s.store('first', 1));
  await link.until(() => link.of('offer').length === 1);
  s.want(link, file);
  const pieces = new Bitmap(2);
  pieces.set(1);
  s.uploads.partial(file.sha256, file.size, file.path, pieces);
  s.uploads.forget(file.sha256);
  t.strictSame(link.of('retract'), [{ type: 'retract', bases: [1] }]);
  const other = s.link();
  s.want(other, file);
  await other.until(() => other.of(...answers).length === 1);
  t.equal(other.of('none').length, 1, 'and not offered any more');
});

t.test('indexes go on from lease to lease, and a link whose indexes are used up is closed', async (t) => {
  const s = await uploadScene(t);
  const file = { sha256: s.publish('huge', 1).sha256, size: 65_536 * PIECE_BYTES };
  s.catalogue.set(file.sha256, { size: file.size, torrents: [TORRENT] });
  s.uploads.verified(file.sha256, file.size, 'nowhere', 'nowhere');
  const link = s.link();
  for (let n = 0; n < 65_536; n++) {
    s.clock.advance(1);
    const [number] = s.want(link, file);
    s.uploads.message(link, { type: 'unwant', files: [number as number] });
    if (link.closed !== undefined) break;
  }
  t.equal(link.closed, undefined);
  const offers = link.of('offer');
  t.ok(offers.every(({ base }, at) => base === at * 65_536));
  t.equal(offers.length, 65_536);
  s.want(link, file);
  t.match(link.closed, { kind: 'closed', message: /indexes/ });
});

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import type { InfoHash } from '../../../src/core/ids.ts';
import { blindedList, blindId, listedTorrents, type LinkEnds } from '../../../src/core/swarm/blind.ts';
import { SharedTorrents } from '../../../src/core/swarm/shared-torrents.ts';
import { peerId } from './arbitraries.ts';

const torrent = (n: number) => createHash('sha1').update(String(n)).digest('hex') as InfoHash;
const torrents = fc.uniqueArray(fc.nat(30)).map((numbers) => numbers.map(torrent));
const commonTorrents = (on: LinkEnds, own: readonly InfoHash[], theirs: Uint8Array) =>
  new SharedTorrents(on, own, theirs).common;
const ends = { dialler: '11'.repeat(20), listener: '22'.repeat(20) };

t.test('an id is blinded as the documentation says', async (t) => {
  fc.assert(
    fc.property(peerId, peerId, fc.nat(), (dialler, listener, n) => {
      const message = Buffer.concat([
        Buffer.from('debtorrent common torrent 1'),
        ...[dialler, listener, torrent(n)].map((id) => Buffer.from(id, 'hex')),
      ]);
      const expected = createHash('sha256').update(message).digest().subarray(0, 8);
      t.same(blindId({ dialler, listener }, torrent(n)), expected);
    }),
  );
});

t.test('both ends find what both have, and nothing else', async (t) => {
  fc.assert(
    fc.property(torrents, torrents, (ours, theirs) => {
      const both = ours.filter((id) => theirs.includes(id)).toSorted();
      t.same(commonTorrents(ends, ours, blindedList(ends, theirs)), both);
      t.same(commonTorrents(ends, theirs, blindedList(ends, ours)), both);
    }),
  );
});

t.test('the list of one link says nothing on another, nor in the other direction', async (t) => {
  const own = [torrent(1), torrent(2)];
  const list = blindedList(ends, own);
  t.same(commonTorrents({ ...ends, listener: '33'.repeat(20) }, own, list), []);
  t.same(commonTorrents({ dialler: ends.listener, listener: ends.dialler }, own, list), []);
});

t.test('the list is in order, so that its order says nothing', async (t) => {
  const own = Array.from({ length: 20 }, (_, n) => torrent(n));
  t.same(blindedList(ends, own), blindedList(ends, own.toReversed()));
  t.same(blindedList(ends, [...own, ...own]), blindedList(ends, own), 'and nothing is in it twice');
});

t.test('of too many torrents both ends list the same', async (t) => {
  const many = Array.from({ length: 400 }, (_, n) => torrent(n));
  t.equal(blindedList(ends, many).length, 256 * 8);
  t.same(commonTorrents(ends, many, blindedList(ends, many)), listedTorrents(many));
});

t.test('lists that change one after the other are what they would be from the start', async (t) => {
  const change = fc.record({ own: torrents, theirs: torrents }, { requiredKeys: [] });
  fc.assert(
    fc.property(torrents, torrents, fc.array(change), (first, others, changes) => {
      const now = { own: first, theirs: others };
      const shared = new SharedTorrents(ends, first, blindedList(ends, others));
      for (const { own, theirs } of changes) {
        const before = shared.common;
        if (own !== undefined) now.own = own;
        if (theirs !== undefined) now.theirs = theirs;
        const changed = shared.update({
          ...(own && { own }),
          ...(theirs && { theirs: blindedList(ends, theirs) }),
        });
        const common = now.own.filter((id) => now.theirs.includes(id)).toSorted();
        t.same(shared.common, common);
        t.equal(changed, before.join() !== common.join());
        t.same(Buffer.from(shared.blinded), blindedList(ends, now.own));
      }
    }),
  );
});

t.test('a list that is cut, or holds anything else, does no harm', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      t.same(commonTorrents(ends, [torrent(1)], bytes), []);
    }),
  );
});

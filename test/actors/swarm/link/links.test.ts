import t from 'tap';

import type { InfoHash, Sha256 } from '../../../../src/core/ids.ts';
import type { FilesMessage } from '../../../../src/core/swarm/messages.ts';
import { pair, TORRENT, until } from './fixtures/pair.ts';

const OTHER = 'cd'.repeat(20) as InfoHash;
const SHA = '12'.repeat(32) as Sha256;
const MESSAGES: readonly FilesMessage[] = [
  { type: 'want', files: [{ file: 7, sha256: SHA, size: 5_000_000_000 }] },
  { type: 'unwant', files: [7, 4_294_967_295] },
  { type: 'offer', file: 7, base: 4_294_900_000, pieces: 3, have: Uint8Array.of(0b1010_0000) },
  { type: 'offer', file: 7, base: 0, pieces: 1 },
  { type: 'none', files: [1, 2] },
  { type: 'retract', bases: [0, 4_000_000_000] },
  { type: 'tree-request', file: 7 },
  { type: 'tree', file: 7, roots: new Uint8Array(64).fill(5) },
  { type: 'fetching', file: 7, pieces: Uint8Array.of(0x80) },
];

for (const host of ['127.0.0.1', '::1']) {
  for (const swarmKey of [undefined, Buffer.alloc(32, 1)]) {
    t.test(`every message arrives as it was sent over ${host}${swarmKey ? ' in a private swarm' : ''}`, async (t) => {
      const key = swarmKey === undefined ? {} : { swarmKey };
      const { a, b, at, bt } = await pair(t, { host, a: { torrents: [TORRENT, OTHER], ...key }, b: key });
      t.equal(at.link.peerId, b.links.peerId);
      t.equal(bt.link.peerId, a.links.peerId);
      t.equal(at.link.address, host);
      t.equal(bt.link.listenPort, a.port);
      t.equal(at.link.client, 'debtorrent test');
      t.strictSame(at.link.common, [TORRENT]);
      for (const message of MESSAGES) at.link.send(message);
      at.link.have(4_000_000_000);
      at.link.interest(true);
      bt.link.choke(false);
      await until(() => bt.of('interested').length > 0 && at.of('choked').length > 0, 'told');
      t.strictSame(
        bt.of('message').map(([message]) => message),
        MESSAGES,
      );
      t.strictSame(bt.of('have'), [[4_000_000_000]]);
      t.equal(bt.link.peerInterested, true);
      t.equal(at.link.peerChoking, false);

      const data = Buffer.alloc(131_072, 'x');
      bt.react = (...event) => {
        if (event[0] === 'requested' && event[1].index !== 5)
          bt.link.piece(event[1], data.subarray(0, event[1].length));
        else if (event[0] === 'requested') bt.link.reject(event[1]);
      };
      const block = { index: 4_294_967_295, offset: 917_504, length: 131_072 };
      t.equal(at.link.request(block), true);
      t.equal(at.link.request(block), false, 'asked already');
      t.equal(at.link.request({ index: 5, offset: 0, length: 1 }), true);
      t.equal(at.link.outstanding, 2);
      await until(() => at.of('block').length === 1 && at.of('rejected').length === 1, 'answered');
      t.strictSame(at.of('block')[0], [block, data]);
      t.strictSame(at.of('rejected')[0], [{ index: 5, offset: 0, length: 1 }]);
      t.equal(at.link.outstanding, 0);
      t.equal(at.link.downBytes, 131_072);
      t.equal(bt.link.upBytes, 131_072);

      b.links.setTorrents([TORRENT, OTHER]);
      await until(() => at.of('torrents').length === 1 && bt.of('torrents').length === 1, 'torrents');
      t.strictSame(at.of('torrents')[0]?.[0], [TORRENT, OTHER]);
      t.strictSame(bt.link.common, [TORRENT, OTHER]);

      const peers = [
        { host, port: 7000 },
        { host: '2001:4860::1', port: 65_535 },
      ];
      at.link.sendPeers(peers);
      at.link.sendPeers([{ host, port: 7001 }]);
      await until(() => bt.of('exchanged').length === 1, 'exchanged');
      t.strictSame(
        [...(bt.of('exchanged')[0]?.[0] ?? [])].sort((x, y) => x.port - y.port),
        peers,
      );

      at.link.close({ kind: 'closed', message: 'enough' });
      await until(() => bt.fault !== undefined, 'closed');
      t.equal(bt.fault?.kind, 'closed');
      t.equal(at.fault?.message, 'enough');
      t.equal(at.link.request(block), false, 'nothing can be asked of a closed link');
      t.strictSame(a.links.all(), []);
    });
  }
}

for (const swarmKey of [undefined, Buffer.alloc(32, 1)]) {
  t.test(
    `a buffer is free when its block is sent, and not before${swarmKey ? ', in a private swarm' : ''}`,
    async (t) => {
      const key = swarmKey === undefined ? {} : { swarmKey };
      const { at, bt } = await pair(t, { a: key, b: key });
      const blocks = Array.from({ length: 32 }, (_, index) => ({ index, offset: 0, length: 131_072 }));
      let free = 0;
      const spare: Buffer[] = [];
      bt.react = (...event) => {
        if (event[0] !== 'requested') return;
        const data = (spare.pop() ?? Buffer.alloc(131_072)).fill(event[1].index);
        const before = free;
        bt.link.piece(event[1], data, () => {
          free += 1;
          // Whoever still reads it has nonsense.
          spare.push(data.fill(0xee));
        });
        t.equal(free, before, 'not before it is sent');
      };
      bt.link.choke(false);
      await until(() => at.of('choked').length === 1, 'unchoked');
      for (const block of blocks) at.link.request(block);
      await until(() => at.of('block').length === blocks.length && free === blocks.length, 'all came');
      for (const [{ index }, data] of at.of('block')) t.ok(data.equals(Buffer.alloc(131_072, index)));
      bt.link.piece({ index: 99, offset: 0, length: 1 }, Buffer.alloc(1), () => (free += 1));
      t.equal(free, blocks.length + 1, 'at once when nobody asked for it');
      bt.link.close({ kind: 'closed', message: 'done' });
      bt.link.piece({ index: 99, offset: 0, length: 1 }, Buffer.alloc(1), () => (free += 1));
      t.equal(free, blocks.length + 2);
    },
  );
}

import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';

import type { LinkFault } from '../../../../src/actors/swarm/link/link.ts';
import type { Sha256 } from '../../../../src/core/ids.ts';
import { bare, filesFrame, frame, handshakeBytes, helloFrame, introduced, u32, type Bare } from './fixtures/bare.ts';
import { pair, side, TORRENT, until, type Side, type SideOptions } from './fixtures/pair.ts';

/** Listens on both families: who is good comes over IPv6, where nothing was held against anybody. */
const DUAL = { host: '::' } as const;

async function victim(t: Test, options: SideOptions = {}): Promise<Side> {
  return side(t, { ...DUAL, ...options });
}

/** The offender is gone, one line says why, and who is good is still let in. */
async function turnedAway(t: Test, to: Side, offender: Bare, kind: LinkFault['kind'], reason: RegExp): Promise<void> {
  await until(() => offender.isClosed(), 'the offender is dropped');
  const lines = to.log.filter(({ message }) => message === 'link refused' || message === 'link ended');
  t.equal(lines.length, 1, 'one line');
  t.match(lines[0]?.fields, { kind, reason }, JSON.stringify(lines));
  await stillWelcome(t, to);
}

async function stillWelcome(t: Test, to: Side): Promise<void> {
  const good = await side(t, { host: '::1' });
  const outcome = await good.links.dial('::1', to.port, TORRENT);
  t.match(outcome, { kind: 'linked' }, 'a good peer is still let in');
}

t.test('garbage instead of a handshake', async (t) => {
  const to = await victim(t);
  const peer = await bare(t, to);
  peer.socket.write('GET / HTTP/1.1\r\n\r\n');
  await turnedAway(t, to, peer, 'protocol', /no BitTorrent handshake/);
  t.equal(peer.received().length, 0, 'it was told nothing');
});

t.test('TLS where no swarm key is', async (t) => {
  const to = await victim(t);
  const peer = await bare(t, to);
  peer.socket.write(Buffer.from([0x16, 3, 1, 0, 200, 1]));
  await turnedAway(t, to, peer, 'protocol', /TLS/);
});

t.test('silence after connecting', async (t) => {
  const to = await victim(t, { limits: { handshakeMs: 200 } });
  const peer = await bare(t, to);
  await turnedAway(t, to, peer, 'timeout', /no handshake within 0.2 s/);
});

t.test('silence after the handshakes', async (t) => {
  const to = await victim(t, { limits: { silenceMs: 200, keepAliveMs: 50 } });
  const peer = await introduced(t, to);
  const good = side(t, { host: '::1', limits: { keepAliveMs: 50 } });
  await turnedAway(t, to, peer, 'timeout', /silent for 0.2 s/);
  t.ok(peer.received().includes(Buffer.alloc(4)), 'it was sent keep-alives');
  await good;
});

t.test('a handshake for a torrent that is not shared, or without what is needed, gets no answer', async (t) => {
  const to = await victim(t);
  const unknown = await bare(t, to);
  unknown.socket.write(handshakeBytes(randomBytes(20), 'ef'.repeat(20) as typeof TORRENT));
  await until(unknown.isClosed, 'closed');
  const plain = await bare(t, to);
  const bytes = handshakeBytes(randomBytes(20));
  bytes.fill(0, 20, 28);
  plain.socket.write(bytes);
  await until(plain.isClosed, 'closed');
  t.equal(unknown.received().length + plain.received().length, 0);
  t.strictSame(
    to.log.map(({ fields }) => fields['kind']),
    ['closed', 'stranger'],
  );
});

t.test('a frame of 4 GB', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  peer.socket.write(u32(0xffff_ffff));
  await turnedAway(t, to, peer, 'protocol', /a frame of 4294967295 bytes/);
});

t.test('a frame one byte too long; one less is taken', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  peer.socket.write(Buffer.concat([frame(99, Buffer.alloc(262_143)), frame(4, u32(7))]));
  await until(() => peer.heard.of('have').length === 1, 'what follows is read');
  peer.socket.write(Buffer.concat([u32(262_145), Buffer.of(99), u32(0, 0)]));
  await turnedAway(t, to, peer, 'protocol', /262145/);
});

t.test('a block that is longer than any may be', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  peer.socket.write(u32(524_298));
  await turnedAway(t, to, peer, 'protocol', /524298/);
});

t.test('a block that nobody asked for ends with its head: no memory waits for the rest', async (t) => {
  for (const length of [16_384, 131_072, 524_288]) {
    const to = await victim(t);
    const peer = await introduced(t, to);
    peer.socket.write(Buffer.concat([u32(length + 9), Buffer.of(7), u32(3, 0)]));
    await turnedAway(t, to, peer, 'protocol', /a block that was not asked for: 3 0/);
  }
});

t.test('one byte at a time is slow, and not wrong', async (t) => {
  const to = await victim(t);
  const peer = await bare(t, to);
  const peerId = randomBytes(20);
  peer.socket.setNoDelay(true);
  for (const byte of Buffer.concat([handshakeBytes(peerId), helloFrame(), frame(4, u32(7)), Buffer.alloc(4)])) {
    await new Promise((resolve) => peer.socket.write(Uint8Array.of(byte), resolve));
  }
  await until(() => to.heard[0]?.of('have').length === 1, 'the have arrives');
  // A frame that never ends does not keep a link alive.
  const before = process.memoryUsage().arrayBuffers;
  peer.socket.write(Buffer.concat([u32(262_144), Buffer.of(99)]));
  for (let i = 0; i < 2000; i++) await new Promise((resolve) => peer.socket.write(Uint8Array.of(0), resolve));
  t.ok(process.memoryUsage().arrayBuffers - before < 8 * 1_048_576, 'nothing piles up');
  await stillWelcome(t, to);
});

t.test('who cuts messages into bytes pays for each', async (t) => {
  const to = await victim(t, { limits: { messageBurst: 200, messagesPerSecond: 10 } });
  const peer = await introduced(t, to);
  peer.socket.setNoDelay(true);
  peer.socket.write(Buffer.concat([u32(262_144), Buffer.of(99)]));
  while (!peer.isClosed()) {
    peer.socket.write(Uint8Array.of(0));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await turnedAway(t, to, peer, 'flood', /too many messages/);
});

t.test('a dribbled frame counts as silence', async (t) => {
  const to = await victim(t, { limits: { silenceMs: 300 } });
  const peer = await introduced(t, to);
  peer.socket.write(u32(1000));
  const timer = setInterval(() => peer.socket.write('x'), 20);
  t.teardown(() => clearInterval(timer));
  await turnedAway(t, to, peer, 'timeout', /silent/);
});

t.test('five bytes that send the bencode library round for ever, and others that make it throw', async (t) => {
  for (const payload of ['l-3:e', 'd1:md1:ad8:toStringi1eeee', 'd9:__proto__d1:ai1eee', 'l'.repeat(9000), '']) {
    const to = await victim(t);
    const peer = await bare(t, to);
    peer.socket.write(
      Buffer.concat([handshakeBytes(randomBytes(20)), frame(20, Uint8Array.of(0), Buffer.from(payload))]),
    );
    await turnedAway(t, to, peer, 'stranger', /./);
  }
});

t.test('malformed messages', async (t) => {
  for (const bytes of [
    frame(6, u32(0, 0)),
    frame(4),
    frame(0, u32(1)),
    frame(7, u32(1, 2)),
    frame(20),
    frame(20, Uint8Array.of(1), Buffer.from('de')),
    frame(20, Uint8Array.of(2), Buffer.from('l-3:e')),
    frame(6, u32(0, 0, 0)),
    frame(6, u32(0, 0, 524_289)),
    frame(6, u32(0, 1_048_575, 2)),
    frame(6, u32(0, 0xffff_ffff, 131_072)),
    Buffer.concat([frame(6, u32(0, 0, 5)), frame(6, u32(0, 0, 5))]),
  ]) {
    const to = await victim(t);
    const peer = await introduced(t, to);
    peer.heard.link.choke(false);
    peer.socket.write(bytes);
    await turnedAway(t, to, peer, 'protocol', /./);
  }
});

t.test('messages that mean nothing here are ignored', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  const ignored = [frame(5, Buffer.alloc(50_000, 0xff)), frame(14), frame(13, u32(1)), frame(9, Buffer.alloc(2))];
  const unknown = [frame(77), frame(20, Uint8Array.of(9), Buffer.from('l-3:e')), helloFrame(), Buffer.alloc(4)];
  peer.socket.write(Buffer.concat([...ignored, ...unknown, frame(4, u32(3))]));
  await until(() => peer.heard.of('have').length === 1, 'the have after them');
  t.equal(peer.heard.told.length, 1);
});

t.test('a million requests, unchoked', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  peer.heard.link.choke(false);
  for (let i = 0; i < 100 && !peer.isClosed(); i++) {
    peer.socket.write(
      Buffer.concat(Array.from({ length: 10_000 }, (_, k) => frame(6, u32(i * 10_000 + k, 0, 16_384)))),
    );
  }
  await turnedAway(t, to, peer, 'flood', /more than 256 open requests/);
  t.equal(peer.heard.of('requested').length, 256);
});

t.test('a million requests, choked', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  const many = Buffer.concat(Array.from({ length: 10_000 }, (_, k) => frame(6, u32(k, 0, 16_384))));
  for (let i = 0; i < 100 && !peer.isClosed(); i++) peer.socket.write(many);
  await turnedAway(t, to, peer, 'flood', /too many messages/);
  t.equal(peer.heard.of('requested').length, 0);
});

t.test('a million wants, haves and keep-alives', async (t) => {
  const files = Array.from({ length: 64 }, (_, file) => ({ file, sha256: 'ab'.repeat(32) as Sha256, size: 1 }));
  for (const one of [filesFrame({ type: 'want', files }), frame(4, u32(1)), Buffer.alloc(4), frame(88)]) {
    const to = await victim(t);
    const peer = await introduced(t, to);
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => one));
    for (let i = 0; i < 5 && !peer.isClosed(); i++) peer.socket.write(many);
    await turnedAway(t, to, peer, 'flood', /too many messages/);
    // Some thousands at once, and more while time passes on a busy machine, of 50,000.
    t.ok(peer.heard.told.length < 25_000, `${peer.heard.told.length} were heard`);
  }
});

t.test('who sends what takes long to read, or has what is common found out all the time, pays for it', async (t) => {
  const nothing = Buffer.from(`d1:ti99e1:xl${'i1e'.repeat(4_000)}ee`);
  const on = filesFrame({ type: 'torrents', ids: Buffer.alloc(8) });
  for (const one of [frame(20, Uint8Array.of(1), nothing), on]) {
    const to = await victim(t, { limits: { messageBurst: 400, messagesPerSecond: 1 } });
    const peer = await introduced(t, to);
    // With a short one after each these would be 200 of 400.
    for (let i = 0; i < 100 && !peer.isClosed(); i++) peer.socket.write(Buffer.concat([one, Buffer.alloc(4)]));
    await turnedAway(t, to, peer, 'flood', /too many messages/);
  }
});

t.test('blocks that nobody asked for', async (t) => {
  const to = await victim(t);
  const peer = await introduced(t, to);
  peer.socket.write(frame(7, u32(0, 0), Buffer.alloc(16_384)));
  await turnedAway(t, to, peer, 'protocol', /a block that was not asked for/);
  t.strictSame(peer.heard.of('block'), []);
  t.equal(peer.heard.link.downBytes, 0);
});

t.test('a block comes once for each request; what was cancelled may still come', async (t) => {
  const to = await victim(t, { limits: { requestMs: 100 } });
  const peer = await introduced(t, to);
  peer.socket.write(frame(1));
  await until(() => peer.heard.of('choked').length === 1, 'unchoked');
  const block = { index: 1, offset: 0, length: 10 };
  const answer = frame(7, u32(1, 0), Buffer.alloc(10));
  t.equal(peer.heard.link.request(block), true);
  await until(() => peer.heard.of('timedOut').length === 1, 'timed out');
  t.strictSame(peer.heard.of('timedOut'), [[block]]);
  await until(() => peer.received().includes(frame(8, u32(1, 0, 10))), 'a cancel was sent');
  t.equal(peer.heard.link.outstanding, 0);
  peer.socket.write(Buffer.concat([answer, frame(4, u32(9))]));
  await until(() => peer.heard.of('have').length === 1, 'the late block is let pass');
  t.strictSame(peer.heard.of('block'), []);
  peer.socket.write(answer);
  await turnedAway(t, to, peer, 'protocol', /not asked for/);
});

t.test('reading nothing: what waits for the peer is bounded', async (t) => {
  const to = await victim(t, { limits: { stallMs: 1_000 } });
  const peer = await introduced(t, to);
  peer.heard.link.choke(false);
  const data = Buffer.alloc(131_072);
  const waiting = peer.heard.of('requested').map(([block]) => block);
  const serve = () => {
    for (let next = waiting[0]; next !== undefined && peer.heard.link.writable; next = waiting[0]) {
      waiting.shift();
      peer.heard.link.piece(next, data);
    }
  };
  peer.heard.react = (...event) => {
    if (event[0] === 'requested') waiting.push(event[1]);
    if (event[0] === 'requested' || event[0] === 'drained') serve();
  };
  peer.socket.pause();
  // However much the buffers of the system take, there is more.
  let index = 0;
  const asking = setInterval(() => {
    if (waiting.length < 100) peer.socket.write(frame(6, u32(index++, 0, 131_072)));
  }, 1);
  t.teardown(() => clearInterval(asking));
  await until(() => waiting.length >= 100 && !peer.heard.link.writable, 'requests wait, not blocks');
  peer.socket.resume();
  await until(() => peer.heard.of('drained').length > 0, 'a peer that reads again is served');
  t.equal(peer.isClosed(), false);
  peer.socket.pause();
  await until(() => peer.heard.fault !== undefined, 'it has taken nothing for too long');
  t.match(peer.heard.fault, { kind: 'timeout', message: /has taken nothing/ });
  await stillWelcome(t, to);
});

t.test('asking for answers without reading them ends before memory does', async (t) => {
  const to = await victim(t, { limits: { mostQueued: 100_000, messageBurst: 10_000_000 } });
  const peer = await introduced(t, to);
  peer.socket.pause();
  const many = Buffer.concat(Array.from({ length: 10_000 }, (_, k) => frame(6, u32(k, 0, 16_384))));
  const timer = setInterval(() => peer.socket.write(many), 5);
  t.teardown(() => clearInterval(timer));
  await until(() => peer.heard.fault !== undefined, 'it is dropped');
  t.match(peer.heard.fault, { kind: 'flood', message: /asks for more than it reads/ });
  await stillWelcome(t, to);
});

t.test('connecting and leaving in a tight loop is refused cheaply, and logged little', async (t) => {
  const to = await victim(t);
  for (let i = 0; i < 300; i++) {
    const peer = await bare(t, to);
    peer.socket.destroy();
  }
  const { heapUsed } = process.memoryUsage();
  t.ok(heapUsed < 500 * 1_048_576);
  await until(() => to.log.some(({ fields }) => fields['reason'] === 'connects too often'), 'refused');
  t.ok(to.log.length < 150, `${to.log.length} lines`);
  await stillWelcome(t, to);
});

t.test('an address has a bounded number of links', async (t) => {
  const to = await victim(t, { limits: { linksPerAddress: 3 } });
  for (let i = 0; i < 3; i++) await introduced(t, to);
  const peer = await bare(t, to);
  await until(peer.isClosed, 'refused');
  t.match(to.log.at(-1), {
    level: 'warn',
    message: 'link refused',
    fields: { reason: /3 links with 127.0.0.1 are open/ },
  });
  t.equal(to.links.all().length, 3);
  to.heard[0]?.link.close({ kind: 'closed', message: 'enough' });
  await introduced(t, to);
  await stillWelcome(t, to);
});

t.test('links in total, and handshakes under way, are bounded', async (t) => {
  const few = await victim(t, { limits: { links: 1 } });
  await introduced(t, few);
  const late = await bare(t, few);
  await until(late.isClosed, 'refused');
  t.match(few.log.at(-1)?.fields, { reason: /1 links are open/ });
  const slow = await victim(t, { limits: { handshakes: 2 } });
  const [one, two] = [await bare(t, slow), await bare(t, slow)];
  const three = await bare(t, slow);
  await until(three.isClosed, 'refused');
  t.match(slow.log.at(-1)?.fields, { reason: /2 handshakes are under way/ });
  one.socket.destroy();
  two.socket.destroy();
  await until(() => slow.log.filter(({ level }) => level === 'debug').length === 2, 'both have left');
  await stillWelcome(t, slow);
});

t.test('the same peer id from many ports is one link', async (t) => {
  const to = await victim(t);
  const peerId = randomBytes(20);
  const first = await introduced(t, to, { peerId });
  for (let i = 0; i < 5; i++) {
    const again = await bare(t, to);
    again.socket.write(Buffer.concat([handshakeBytes(peerId), helloFrame()]));
    await until(again.isClosed, 'refused');
  }
  t.equal(first.isClosed(), false);
  t.equal(to.links.all().length, 1);
  t.equal(to.log.filter(({ fields }) => fields['kind'] === 'duplicate').length, 5);
  await stillWelcome(t, to);
});

t.test('who was banned does not come back, nor does an address that goes on with new peer ids', async (t) => {
  const to = await victim(t);
  const peerId = randomBytes(20);
  const peer = await introduced(t, to, { peerId });
  const other = await introduced(t, to);
  const key = { address: '127.0.0.1', peerId: peer.peerId };
  to.links.ban(key, 'wrong bytes');
  await until(peer.isClosed, 'banned');
  t.equal(to.links.isBanned(key), true);
  const again = await bare(t, to);
  again.socket.write(handshakeBytes(peerId));
  await until(again.isClosed, 'refused');
  t.equal(again.received().length, 0);
  t.equal(other.isClosed(), false, 'others of the address stay');
  await introduced(t, to);
  for (let i = 0; i < 2; i++) {
    const next = await introduced(t, to);
    next.heard.link.close({ kind: 'wrong-bytes', message: 'wrong bytes' });
  }
  t.equal(to.links.bans, 3);
  const refused = await bare(t, to);
  await until(refused.isClosed, 'refused');
  t.match(to.log.at(-1)?.fields, { kind: 'banned', reason: /too many peers of this address/ });
  await stillWelcome(t, to);
});

t.test('who breaks the rules again and again is banned', async (t) => {
  const to = await victim(t);
  const peerId = randomBytes(20);
  for (let i = 0; i < 3; i++) {
    const peer = await introduced(t, to, { peerId });
    peer.socket.write(u32(0xffff_ffff));
    await until(peer.isClosed, 'dropped');
  }
  t.equal(to.links.bans, 1);
  t.equal(to.links.isBanned({ address: '127.0.0.1', peerId: peerId.toString('hex') }), true);
});

t.test('a BitTorrent client that is no peer of this kind shuts out nobody who has the same address', async (t) => {
  const to = await victim(t);
  const usual = frame(20, Uint8Array.of(0), Buffer.from('d1:md11:ut_metadatai3e6:ut_pexi1ee1:pi6881e1:v5:Usuale'));
  for (let i = 0; i < 12; i++) {
    const client = await bare(t, to);
    const handshake = handshakeBytes(Buffer.alloc(20, i % 2));
    // Every third has not even BEP 10.
    if (i % 3 === 0) handshake.fill(0, 20, 28);
    client.socket.write(Buffer.concat([handshake, usual]));
    await until(client.isClosed, 'turned away');
  }
  t.equal(to.log.filter(({ fields }) => fields['kind'] === 'stranger').length, 12);
  t.equal(to.links.bans, 0);
  const neighbour = await introduced(t, to);
  t.equal(neighbour.isClosed(), false);
});

t.test('without the key of a private swarm nobody gets past the handshake', async (t) => {
  const swarmKey = Buffer.alloc(32, 7);
  const to = await victim(t, { swarmKey });
  const plain = await bare(t, to);
  plain.socket.write(handshakeBytes(randomBytes(20)));
  await until(() => to.log.length === 1, 'one line');
  t.match(to.log[0], { level: 'warn', fields: { kind: 'protocol', reason: /no TLS where a swarm key is needed/ } });
  const wrong = await side(t, { swarmKey: Buffer.alloc(32, 8) });
  t.match(await wrong.links.dial('127.0.0.1', to.port, TORRENT), { kind: 'failed' });
  const silent = await bare(t, to);
  silent.socket.write(Buffer.of(0x16));
  silent.socket.end();
  await until(() => to.log.some(({ level }) => level === 'debug'), 'who just leaves is no offender');
  to.log.splice(
    to.log.findIndex(({ level }) => level === 'debug'),
    1,
  );
  await until(() => to.log.length === 2, 'one line more');
  t.match(to.log[1], { level: 'warn', fields: { kind: 'protocol', reason: 'wrong swarm key' } });
  const keyless = await side(t);
  t.match(await keyless.links.dial('127.0.0.1', to.port, TORRENT), { kind: 'failed' });
  t.match(await to.links.dial('127.0.0.1', keyless.port, TORRENT), { kind: 'failed' });
  t.strictSame(to.heard, []);
  const member = await side(t, { swarmKey, host: '::1' });
  t.match(await member.links.dial('::1', to.port, TORRENT), { kind: 'linked' });
});

t.test('what a handler throws ends its link alone', async (t) => {
  const { a, at, bt } = await pair(t);
  bt.react = (...event) => {
    if (event[0] === 'have') throw new Error('a fault of ours');
  };
  at.link.have(1);
  await until(() => at.fault !== undefined, 'ended');
  t.equal(a.links.bans, 0);
});

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import t from 'tap';

import type { InfoHash } from '../../../../src/core/ids.ts';
import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';
import { bare, frame, handshakeBytes, helloFrame, introduced, u32 } from './fixtures/bare.ts';
import { pair, side, TORRENT, until } from './fixtures/pair.ts';

const OTHER = 'cd'.repeat(20) as InfoHash;

t.test('two that dial each other at the same time end with one link', async (t) => {
  for (let round = 0; round < 5; round++) {
    const [a, b] = [await side(t), await side(t)];
    const outcomes = await Promise.all([
      a.links.dial('127.0.0.1', b.port, TORRENT),
      b.links.dial('127.0.0.1', a.port, TORRENT),
    ]);
    t.ok(outcomes.some(({ kind }) => kind === 'linked'));
    const open = (of: typeof a) => of.heard.filter(({ fault }) => fault === undefined);
    const dialled = (of: typeof a, to: typeof a) => open(of)[0]?.link.name === `127.0.0.1:${to.port}`;
    await until(
      () => open(a).length === 1 && open(b).length === 1 && dialled(a, b) !== dialled(b, a),
      'one link, the same on either side',
    );
    open(a)[0]?.link.have(round);
    await until(() => open(b)[0]?.of('have').length === 1, 'it carries messages');
    t.equal(a.links.bans + b.links.bans, 0);
  }
});

t.test('who is linked is not dialled again, from either side', async (t) => {
  const { a, b, at, bt } = await pair(t);
  t.match(await a.links.dial('127.0.0.1', b.port, TORRENT), { kind: 'linked', link: at.link, reached: false });
  t.match(await b.links.dial('127.0.0.1', a.port, TORRENT), { kind: 'linked', link: bt.link, reached: false });
  // Under another name of the address the handshake finds out.
  const known = await a.links.dial('localhost', b.port, TORRENT);
  t.match(known, { kind: 'linked', link: at.link, reached: true });
  t.equal(a.links.all().length + b.links.all().length, 2);
});

t.test('a link tells when its peer was heard last, a part of a message included', async (t) => {
  const clock = new ManualClock();
  const { bt, at } = await pair(t, { a: { clock } });
  clock.advance(1_000);
  t.equal(at.link.heardAt, 0);
  bt.link.have(7);
  await until(() => at.of('have').length === 1, 'a message comes');
  t.equal(at.link.heardAt, 1_000);
});

t.test('a peer that comes from another address is let in once the link before does not answer', async (t) => {
  const clock = new ManualClock();
  const to = await side(t, { host: '::', clock });
  const peerId = randomBytes(20);
  const before = await introduced(t, to, { peerId });
  clock.advance(3_000);
  const hello = Buffer.concat([handshakeBytes(peerId), helloFrame()]);
  const refused = await bare(t, to, '::1');
  refused.socket.write(hello);
  await until(refused.isClosed, 'there is a link with it');
  t.equal(before.heard.fault, undefined);
  clock.advance(9_999);
  t.equal(before.heard.fault, undefined, 'it has 10 s to answer');
  clock.advance(1);
  t.match(before.heard.fault, { kind: 'timeout', message: /did not answer/ });
  const after = await bare(t, to, '::1');
  after.socket.write(hello);
  await until(() => to.links.all().length === 1, 'it is let in');
  t.equal(to.links.all()[0]?.address, '::1');
  t.equal(to.links.bans, 0);
});

t.test('nobody takes the place of a peer that answers, whatever id he shows', async (t) => {
  const clock = new ManualClock();
  const { a, b, at, bt } = await pair(t, { b: { clock } });
  at.react = (...event) => {
    if (event[0] !== 'message' || event[1].type !== 'want') return;
    at.link.send({ type: 'none', files: event[1].files.map(({ file }) => file) });
  };
  for (let round = 1; round <= 3; round++) {
    clock.advance(3_000);
    const thief = await bare(t, b);
    thief.socket.write(Buffer.concat([handshakeBytes(Buffer.from(a.links.peerId, 'hex')), helloFrame()]));
    await until(thief.isClosed, 'refused');
    await until(() => at.of('message').length === 2 * round, 'asked, and told that this is all');
  }
  clock.advance(20_000);
  t.equal(bt.fault, undefined);
  t.same(bt.of('message'), [], 'answers to such questions are nobody else’s');
  t.same(at.of('message').slice(0, 2), [
    [{ type: 'want', files: [{ file: 2 ** 32 - 1, sha256: '0'.repeat(64), size: 1 }] }],
    [{ type: 'unwant', files: [2 ** 32 - 1] }],
  ]);
});

t.test('on another network links are ended whose address is lost, and those that do not answer', async (t) => {
  const clock = new ManualClock();
  const to = await side(t, { host: '::', clock });
  const [one, two] = [await introduced(t, to), await introduced(t, to, { host: '::1' })];
  to.links.lost(new Set(['127.0.0.1', '192.0.2.1']), true);
  t.match(one.heard.fault, { kind: 'closed', message: 'this machine no longer has the address of this end' });
  t.equal(two.heard.fault, undefined);
  to.links.check();
  clock.advance(10_000);
  t.equal(two.heard.fault, undefined, 'it was heard a moment ago');
  to.links.check();
  clock.advance(9_000);
  two.socket.write(frame(4, u32(7)));
  await until(() => two.heard.of('have').length === 1, 'a sign of life');
  clock.advance(1_000);
  t.equal(two.heard.fault, undefined);
  clock.advance(3_000);
  to.links.check();
  clock.advance(10_000);
  t.match(two.heard.fault, { kind: 'timeout' });
});

t.test('a cable that is out for a moment ends no link whose peer is there', async (t) => {
  const clock = new ManualClock();
  const to = await side(t, { clock });
  const [one, two] = [await introduced(t, to), await introduced(t, to)];
  clock.advance(3_000);
  to.links.lost(new Set(['127.0.0.1']), false);
  clock.advance(9_000);
  one.socket.write(frame(4, u32(7)));
  await until(() => one.heard.of('have').length === 1, 'it is there');
  clock.advance(1_000);
  t.equal(one.heard.fault, undefined);
  t.match(two.heard.fault, { kind: 'timeout' });
});

t.test('one that dials itself finds out', async (t) => {
  const a = await side(t);
  t.strictSame(await a.links.dial('127.0.0.1', a.port, TORRENT), { kind: 'self' });
  t.strictSame(a.heard, []);
  t.equal(a.links.bans, 0);
});

t.test('a dial that comes to nothing says why', async (t) => {
  const hasty = await side(t, { limits: { handshakeMs: 200 } });
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  t.teardown(() => silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as AddressInfo;
  t.match(await hasty.links.dial('127.0.0.1', port, TORRENT), { kind: 'failed', fault: { kind: 'timeout' } });
  const a = await side(t);
  const gone = await side(t);
  await gone.links.stop();
  t.match(await a.links.dial('127.0.0.1', gone.port, TORRENT), {
    kind: 'failed',
    fault: { kind: 'closed', message: /ECONNREFUSED/ },
  });
  const stranger = await side(t, { torrents: [OTHER] });
  t.match(await a.links.dial('127.0.0.1', stranger.port, TORRENT), { kind: 'failed', fault: { kind: 'closed' } });
  t.equal(a.links.bans + hasty.links.bans, 0);
});

t.test('a listener on all addresses takes both families, and calls IPv4 by its name', async (t) => {
  const to = await side(t, { host: '::' });
  const from = await side(t);
  t.match(await from.links.dial('127.0.0.1', to.port, TORRENT), { kind: 'linked' });
  await until(() => to.heard.length === 1, 'a link');
  t.equal(to.heard[0]?.link.address, '127.0.0.1');
  t.match(to.heard[0]?.link.name, /^127\.0\.0\.1:\d+$/);
});

t.test('a port that is taken is an error with a code', async (t) => {
  const a = await side(t);
  const b = await side(t);
  await t.rejects(b.links.listen('127.0.0.1', a.port), { code: 'PORT_TAKEN' });
  await t.rejects(b.links.listen('192.0.2.1', 9), { code: 'LISTEN_FAILED' }, 'no wrong configuration: it may come yet');
});

t.test('stopping ends links on both sides, and nothing is dialled or let in afterwards', async (t) => {
  const { a, b, at, bt } = await pair(t);
  await a.links.stop();
  t.equal(at.fault?.kind, 'stopping');
  await until(() => bt.fault !== undefined, 'closed');
  t.equal(bt.fault?.kind, 'closed');
  t.match(await a.links.dial('127.0.0.1', b.port, TORRENT), { kind: 'failed', fault: { kind: 'stopping' } });
  t.match(await b.links.dial('127.0.0.1', a.port, TORRENT), { kind: 'failed' });
  t.strictSame([...a.links.all(), ...b.links.all()], []);
});

t.test('choked, only what is allowed fast is given; choking rejects the rest', async (t) => {
  const { at, bt } = await pair(t);
  const data = Buffer.alloc(16_384, 3);
  const fast = { index: 4_000_000_000, offset: 0, length: 16_384 };
  const slow = { index: 2, offset: 0, length: 16_384 };
  t.equal(at.link.request(fast), false, 'choked');
  bt.link.allowFast(fast.index);
  await until(() => at.of('allowedFast').length === 1, 'allowed');
  t.equal(at.link.request(slow), false, 'the others stay choked');
  t.equal(at.link.request(fast), true);
  await until(() => bt.of('requested').length === 1, 'requested');
  bt.link.piece(fast, data);
  await until(() => at.of('block').length === 1, 'served');

  bt.link.choke(false);
  await until(() => !at.link.peerChoking, 'unchoked');
  t.equal(at.link.request(slow), true);
  t.equal(at.link.request(fast), true);
  await until(() => bt.of('requested').length === 3, 'requested');
  bt.link.choke(true);
  t.strictSame(bt.of('cancelled'), [[slow]]);
  bt.link.piece(slow, data);
  bt.link.piece(fast, data);
  await until(() => at.of('block').length === 2 && at.of('rejected').length === 1, 'answered');
  t.strictSame(at.of('rejected'), [[slow]]);
  t.equal(at.link.outstanding, 0);
  t.equal(at.fault, undefined);

  bt.link.disallowFast(fast.index);
  t.equal(at.link.request(fast), true, 'it does not know');
  await until(() => at.of('rejected').length === 2, 'rejected');
});

t.test('a cancelled request is over on both sides, and may be made again', async (t) => {
  const { at, bt } = await pair(t);
  bt.link.choke(false);
  await until(() => !at.link.peerChoking, 'unchoked');
  const block = { index: 1, offset: 16_384, length: 16_384 };
  at.link.request(block);
  await until(() => bt.of('requested').length === 1, 'requested');
  at.link.cancel(block);
  at.link.request(block);
  await until(() => bt.of('requested').length === 2, 'requested again');
  t.strictSame(bt.of('cancelled'), [[block]]);
  bt.link.piece(block, Buffer.alloc(16_384));
  await until(() => at.of('block').length === 1, 'answered');
  t.strictSame(at.of('rejected'), [], 'the reject was that of the cancelled one');
  t.equal(at.link.outstanding, 0);
});

t.test('a side that does not read holds the other back, and loses nothing', async (t) => {
  const { at, bt } = await pair(t);
  const roots = new Uint8Array(128_000).fill(7);
  at.link.pause();
  let sent = 0;
  const timer = setInterval(() => {
    for (; bt.link.writable && sent < 2000; sent++) bt.link.send({ type: 'tree', file: sent, roots });
  }, 1);
  t.teardown(() => clearInterval(timer));
  await until(() => !bt.link.writable, 'it is held back');
  const heard = at.of('message').length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(at.of('message').length, heard, 'nothing is read');
  clearInterval(timer);
  at.link.resume();
  await until(() => at.of('message').length === sent, 'all has arrived');
  await until(() => bt.link.writable, 'writable again');
  t.ok(bt.of('drained').length > 0);
});

import fc from 'fast-check';
import t from 'tap';
import type { InfoHash } from '../../../src/core/ids.ts';
import {
  believedPeers,
  EXCHANGE_LIMIT,
  exchangeDelta,
  peersToTell,
  type ExchangePeer,
} from '../../../src/core/swarm/peer-exchange.ts';
import { scopeOf } from '../../../src/core/swarm/peer-address.ts';

const [A, B] = ['aa'.repeat(20), 'bb'.repeat(20)] as [InfoHash, InfoHash];
const peer = (host: string, common: readonly InfoHash[] = [A]): ExchangePeer => ({
  host,
  port: 9989,
  common,
});
const told = (address: string, peers: readonly ExchangePeer[]) =>
  peersToTell({ address, common: [A] }, peers).map(({ host }) => host);

t.test('a link is told of peers of a torrent in common, and not of itself', async (t) => {
  const peers = [peer('8.8.8.8'), peer('8.8.4.4', [B]), peer('1.1.1.1', [B, A])];
  t.same(told('192.0.2.1', peers), ['8.8.8.8', '1.1.1.1']);
  t.same(told('8.8.8.8', peers), ['1.1.1.1']);
  const target = { address: '8.8.8.8', port: 1234, common: [A] };
  t.equal(peersToTell(target, peers).length, 2, 'another daemon at the same address');
});

t.test('private addresses stay on private networks, loopback on this machine', async (t) => {
  const peers = [peer('10.0.0.1'), peer('127.0.0.1'), peer('fd00::1'), peer('fe80::1'), peer('8.8.8.8')];
  t.same(told('192.0.2.1', peers), ['8.8.8.8']);
  t.same(told('10.0.0.9', peers), ['10.0.0.1', 'fd00::1', '8.8.8.8']);
  t.same(told('127.0.0.9', peers), ['10.0.0.1', '127.0.0.1', 'fd00::1', '8.8.8.8']);
});

t.test('no more than fifty are told, no more than fifty believed', async (t) => {
  const many = Array.from({ length: 500 }, (_, n) => peer(`8.8.${n >> 8}.${n & 255}`));
  t.equal(told('192.0.2.1', many).length, EXCHANGE_LIMIT);
  t.equal(believedPeers('192.0.2.1', many).length, EXCHANGE_LIMIT);
  t.equal(believedPeers('192.0.2.1', Array<ExchangePeer>(500).fill(peer('8.8.8.8'))).length, 1, 'each once');
});

t.test('what is believed is what the sender may tell of', async () => {
  const address = fc.record({
    host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('127.0.0.1', '10.0.0.1', '192.168.0.1', '::1', 'x')),
    port: fc.integer({ min: 0, max: 70_000 }),
  });
  fc.assert(
    fc.property(fc.array(address, { maxLength: 80 }), fc.constantFrom('8.8.8.8', '10.0.0.1'), (addresses, sender) => {
      const believed = believedPeers(sender, addresses);
      const allowed = sender === '8.8.8.8' ? ['public'] : ['public', 'private'];
      return (
        believed.length <= EXCHANGE_LIMIT &&
        believed.every(({ host, port }) => allowed.includes(scopeOf(host)) && port >= 1024 && port <= 65535)
      );
    }),
  );
});

t.test('a message says who is new and who has left', async () => {
  const peers = fc
    .uniqueArray(fc.integer({ min: 1, max: 30 }))
    .map((ports) => ports.map((port) => ({ host: 'h', port })));
  fc.assert(
    fc.property(peers, peers, (last, now) => {
      const { added, dropped } = exchangeDelta(last, now);
      const ports = new Set(last.map(({ port }) => port));
      for (const { port } of dropped) ports.delete(port);
      for (const { port } of added) ports.add(port);
      return ports.size === now.length && now.every(({ port }) => ports.has(port));
    }),
  );
});

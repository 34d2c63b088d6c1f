import { createSocket, type Socket } from 'node:dgram';
import t, { type Test } from 'tap';
import { BEP14, type LanOptions } from '../../../src/actors/discovery/protocol.ts';
import { encodeLanAnnouncements } from '../../../src/core/swarm/lan-announcement.ts';
import { randomNumbers } from '../../support/random.ts';
import { sleep, until } from '../../support/process.ts';
import { find, freeUdpPort, newTorrent, type Finding } from './fixtures/found.ts';

const options = async (): Promise<LanOptions> => ({ ...BEP14, port: await freeUdpPort() });
const COOKIE = 'ab'.repeat(16);

/** Multicasts on loopback, from there. */
async function stranger(t: Test): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.setMulticastInterface('127.0.0.1');
  t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return socket;
}

/** It hears others, and has said what it has for the first time. */
const listens = (one: Finding) =>
  until('it listens', async () => (await one.discovery.behaviour.status()).sources[0]?.state === 'working');

const send = (socket: Socket, bytes: Buffer, { port, group4 }: LanOptions) =>
  new Promise<void>((resolve) => socket.send(bytes, port, group4, () => resolve()));

t.test('two daemons on one machine find each other for the torrents they share', async (t) => {
  const lanOptions = await options();
  const [shared, mine, yours] = [newTorrent(), newTorrent(), newTorrent()];
  const one = find(t, 20_001, { lan: true }, { lanOptions });
  const two = find(t, 20_002, { lan: true }, { lanOptions });
  one.torrents(shared, mine);
  two.torrents(yours, shared);
  await until('both know each other', () => one.has(shared, '127.0.0.1:20002') && two.has(shared, '127.0.0.1:20001'));
  t.ok([...one.found, ...two.found].every(({ torrent, via }) => torrent === shared && via === 'lan'));
  t.notOk(one.has(shared, '127.0.0.1:20001'), 'nobody finds himself');
  t.match(await one.discovery.behaviour.status(), { torrents: 2, sources: [{ via: 'lan', state: 'working' }] });
});

t.test('a daemon that comes later is found, with many torrents', async (t) => {
  const lanOptions = await options();
  const shared = Array.from({ length: 60 }, newTorrent);
  const one = find(t, 20_003, { lan: true }, { lanOptions });
  one.torrents(...shared);
  await listens(one);
  const two = find(t, 20_004, { lan: true }, { lanOptions });
  two.torrents(...shared.toReversed());
  await until('all torrents', () => shared.every((id) => one.has(id, '127.0.0.1:20004')));
});

t.test('without a listener nothing is announced, but others are heard', async (t) => {
  const lanOptions = await options();
  const shared = newTorrent();
  const silent = find(t, undefined, { lan: true }, { lanOptions });
  silent.torrents(shared);
  await listens(silent);
  const heard = find(t, 20_005, { lan: true }, { lanOptions });
  heard.torrents(shared);
  await until('heard', () => silent.has(shared, '127.0.0.1:20005'));
  t.same(heard.found, []);
});

t.test('garbage of all kinds is survived and what is right still heard', async (t) => {
  const lanOptions = await options();
  const shared = newTorrent();
  const one = find(t, 20_006, { lan: true }, { lanOptions });
  one.torrents(shared);
  await listens(one);
  const random = randomNumbers('lan');
  const good = encodeLanAnnouncements(`${lanOptions.group4}:${lanOptions.port}`, 20_099, COOKIE, [shared])[0] as Buffer;
  const text = good.toString('latin1');
  const pieces = [
    '',
    'BT-SEARCH * HTTP/1.1',
    'BT-SEARCH * HTTP/1.1\r\n',
    'BT-SEARCH * HTTP/1.1\r\n\r\n\r\n',
    'BT-SEARCH * HTTP/1.1\r\n:\r\n',
    text.replace('20099', '99999'),
    text.replace('20099', '0'),
    text.replace('20099', '22'),
    text.replace('20099', '-5'),
    text.replace(/Infohash: .*/, 'Infohash: zz'),
    text.replace(/cookie: .*/, `cookie: ${'x'.repeat(1000)}`),
    text.slice(0, -20),
    'x'.repeat(60_000),
  ].map((piece) => Buffer.from(piece, 'latin1'));
  const noise = Array.from({ length: 300 }, () => Buffer.from(Array.from({ length: 40 }, () => random() * 256)));
  const broken = Array.from({ length: 100 }, () => {
    const copy = Buffer.from(good);
    copy[Math.floor(random() * 40)] = Math.floor(random() * 256);
    return copy;
  });
  const hostile = await stranger(t);
  for (const datagram of [...pieces, ...noise, ...broken]) await send(hostile, datagram, lanOptions);
  t.ok(one.found.length < 50, 'no more is looked at than one sender may send');
  await until('heard again when the flood is over', async () => {
    await send(hostile, good, lanOptions);
    await sleep(100);
    return one.has(shared, '127.0.0.1:20099');
  });
});

t.test('an id that is not blinded, or blinded under another cookie, is nobody known', async (t) => {
  const lanOptions = await options();
  const shared = newTorrent();
  const one = find(t, 20_007, { lan: true }, { lanOptions });
  one.torrents(shared);
  await listens(one);
  const socket = await stranger(t);
  const [datagram] = encodeLanAnnouncements('g', 20_098, COOKIE, [shared]) as [Buffer];
  const text = datagram.toString('latin1');
  await send(socket, Buffer.from(text.replace(COOKIE, 'cd'.repeat(16))), lanOptions);
  await send(socket, Buffer.from(text.replace(/Infohash: .*/, `Infohash: ${shared}\r`)), lanOptions);
  await send(socket, Buffer.from(text.replace('20098', '20097')), lanOptions);
  await until('the right one', () => one.has(shared, '127.0.0.1:20097'));
  t.equal(one.found.length, 1);
});

t.test('who listens on one address is announced from there only', async (t) => {
  const lanOptions = await options();
  const shared = newTorrent();
  const hearer = find(t, 20_008, { lan: true }, { lanOptions });
  hearer.torrents(shared);
  await listens(hearer);
  const here = find(t, 20_009, { lan: true }, { lanOptions, listenHost: '127.0.0.1' });
  here.torrents(shared);
  await until('heard', () => hearer.has(shared, '127.0.0.1:20009'));
  const elsewhere = find(t, 20_010, { lan: true }, { lanOptions, listenHost: '192.0.2.77' });
  elsewhere.torrents(shared);
  await until(
    'it cannot speak',
    async () => (await elsewhere.discovery.behaviour.status()).sources[0]?.state === 'failing',
  );
  t.ok(hearer.found.every(({ address }) => address === '127.0.0.1:20009'));
});

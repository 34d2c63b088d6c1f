import { createSocket, type Socket } from 'node:dgram';
import { once, type EventEmitter } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { MAX_PEERS, BoundedServer } from '../../../src/commands/tracker/bounded-server.ts';
import { cleanUrl } from '../../../src/commands/tracker/tracker-http.ts';
import { startTracker, type RunningTracker } from '../../../src/commands/tracker/tracker.ts';
import { parseTrackerAnswer } from '../../../src/core/swarm/tracker-answer.ts';
import {
  announceRequest,
  connectRequest,
  parseUdpTrackerMessage,
} from '../../../src/core/swarm/udp-tracker-messages.ts';
import { spawnMain } from '../../support/daemon.ts';
import { until } from '../../support/process.ts';
import { randomBytes, randomNumbers } from '../../support/random.ts';

const HASH = '%11'.repeat(20);
const infoHash = '11'.repeat(20);
const peerId = (n: number) =>
  `%22`.repeat(18) + `%${(n >> 8).toString(16).padStart(2, '0')}%${(n & 255).toString(16).padStart(2, '0')}`;

async function running(t: Test): Promise<RunningTracker> {
  const tracker = await startTracker({ host: '127.0.0.1', port: 0 });
  t.teardown(() => tracker.close());
  return tracker;
}

async function announce({ port }: RunningTracker, query: string) {
  const answer = await fetch(`http://127.0.0.1:${port}/announce?${query}`);
  return parseTrackerAnswer(Buffer.from(await answer.arrayBuffer()));
}

const query = (n: number, more = '') =>
  `info_hash=${HASH}&peer_id=${peerId(n)}&port=${2000 + n}&left=1&compact=1${more}`;

async function udpSocket(t: Test): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  return socket;
}

async function ask(socket: Socket, port: number, datagram: Buffer): Promise<Buffer> {
  const answer = once(socket, 'message') as Promise<[Buffer]>;
  socket.send(datagram, port, '127.0.0.1');
  return (await answer)[0];
}

async function connection(socket: Socket, port: number): Promise<Buffer> {
  const message = parseUdpTrackerMessage(await ask(socket, port, connectRequest(7)), 7, 4);
  return message?.kind === 'connected' ? message.connection : Buffer.alloc(8);
}

const what = { infoHash, peerId: '33'.repeat(20), port: 3003, event: 'started', key: 0, wanted: 50 } as const;

t.test('who announces over HTTP is told to others over HTTP and UDP, and the other way round', async (t) => {
  const tracker = await running(t);
  t.match(await announce(tracker, query(1)), { kind: 'peers', intervalS: 120 });
  const socket = await udpSocket(t);
  const id = await connection(socket, tracker.port);
  const answer = parseUdpTrackerMessage(await ask(socket, tracker.port, announceRequest(id, 8, what)), 8, 4);
  t.match(answer, { answer: { kind: 'peers', intervalS: 120 } });
  t.match(JSON.stringify(answer), '{"host":"127.0.0.1","port":2001}');
  t.match(JSON.stringify(await announce(tracker, query(2))), '{"host":"127.0.0.1","port":3003}');
  t.notMatch(JSON.stringify(await announce(tracker, query(3, '&event=stopped'))), '"port":2003');
});

t.test(
  'who comes while a tracker knows few is asked to come again soon, as it may have been started anew',
  async (t) => {
    const it = { now: 0 };
    const tracker = await startTracker({ host: '127.0.0.1', port: 0 }, () => it.now);
    t.teardown(() => tracker.close());
    t.match(await announce(tracker, query(1)), { intervalS: 120 });
    it.now = 15 * 60_000;
    t.match(await announce(tracker, query(1)), { intervalS: 120 }, 'who came just before it was started may yet come');
    it.now = 20 * 60_000;
    t.match(await announce(tracker, query(1)), { intervalS: 900 });
    it.now = 0;
    for (let n = 2; n < 20; n += 1) t.match(await announce(tracker, query(n)), { intervalS: 120 });
    t.match(await announce(tracker, query(20)), { intervalS: 900 }, 'who knows so many peers need not come soon');
  },
);

t.test('a connection id of another client, or none, is worth nothing', async (t) => {
  const tracker = await running(t);
  const [one, two] = [await udpSocket(t), await udpSocket(t)];
  const id = await connection(one, tracker.port);
  two.send(announceRequest(id, 9, what), tracker.port, '127.0.0.1');
  two.send(announceRequest(Buffer.from('0000041727101980', 'hex'), 9, what), tracker.port, '127.0.0.1');
  // in order on loopback: when this is answered the others were dropped
  const answer = await ask(two, tracker.port, connectRequest(10));
  t.equal(answer.readUInt32BE(4), 10);
  t.equal(tracker.server.swarms, 0);
});

t.test('the address in a datagram does not count', async (t) => {
  const tracker = await running(t);
  const socket = await udpSocket(t);
  const request = announceRequest(await connection(socket, tracker.port), 11, what);
  request.writeUInt32BE(0x08080808, 84);
  await ask(socket, tracker.port, request);
  const told = JSON.stringify(await announce(tracker, query(4)));
  t.match(told, '{"host":"127.0.0.1","port":3003}');
  t.notMatch(told, '8.8.8.8');
});

t.test('hostile HTTP is turned away and the tracker goes on', async (t) => {
  const tracker = await running(t);
  // the library's own server ends the process on the second of these two
  await announce(tracker, query(5, '&socket=x'));
  await announce(tracker, query(5, '&socket=x&event=stopped'));
  for (const path of [
    '/',
    '/announce',
    '/announce?',
    '/announce?info_hash=%',
    `/announce?info_hash=${HASH}`,
    `/announce?${query(6)}&info_hash=${HASH}&port=-1`,
    `/announce?${query(6).replace('port=2006', 'port=99999')}`,
    `/announce?${query(6, '&event=explode')}`,
    `/announce?${query(6, '&numwant=-1')}`,
    `/announce?${query(6, '&numwant=1e99&left=x&__proto__=1&toString=2')}`,
    '/scrape',
    '/scrape?',
    '/scrape?info_hash=x',
    `/scrape?info_hash=${HASH}`,
    `/scrape?${`info_hash=${HASH}&`.repeat(100)}`,
    '/stats',
    `/announce?${'x'.repeat(20_000)}`,
  ]) {
    const answer = await fetch(`http://127.0.0.1:${tracker.port}${path}`).catch(() => undefined);
    t.ok(answer === undefined || answer.status < 500, path.slice(0, 60));
    const bytes = await answer?.arrayBuffer();
    t.ok((bytes?.byteLength ?? 0) < 5_000, 'a short answer');
  }
  const posted = await fetch(`http://127.0.0.1:${tracker.port}/announce?${query(6)}`, { method: 'POST', body: 'x' });
  t.equal(posted.status, 405);
  const garbage = ['\r\n\r\n', '\0\0\0', 'GET', randomBytes('http', 50_000), 'GET /announce?x HTTP/1.1\r\n'.repeat(99)];
  for (const text of [
    ...garbage,
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  ]) {
    const socket = connect(tracker.port, '127.0.0.1');
    socket.on('error', () => undefined).end(text);
    socket.resume();
    await once(socket, 'close');
  }
  t.match(await announce(tracker, query(7)), { kind: 'peers' });
});

t.test('hostile datagrams are dropped and the tracker goes on', async (t) => {
  const tracker = await running(t);
  const socket = await udpSocket(t);
  const id = await connection(socket, tracker.port);
  const random = randomNumbers('udp');
  const good = announceRequest(id, 12, what);
  const scrape = (bytes: number) => Buffer.concat([id, Buffer.from([0, 0, 0, 2, 0, 0, 0, 1]), Buffer.alloc(bytes, 1)]);
  const hostile = [
    ...Array.from({ length: 99 }, (_, length) => good.subarray(0, length)),
    ...Array.from({ length: 300 }, () => {
      const copy = Buffer.from(good);
      copy[8 + Math.floor(random() * 90)] = Math.floor(random() * 256);
      return copy;
    }),
    ...[0, 1, 19, 20, 21, 20 * 74, 20 * 75, 60_000].map(scrape),
    randomBytes('datagram', 60_000),
  ];
  for (const datagram of hostile) {
    await new Promise<void>((resolve) => socket.send(datagram, tracker.port, '127.0.0.1', () => resolve()));
  }
  t.match(await announce(tracker, query(8)), { kind: 'peers' });
  const other = await udpSocket(t);
  t.equal((await connection(other, tracker.port)).length, 8);
});

t.test('swarms and the peers in each are bounded; made-up swarms do not displace real ones', async (t) => {
  const server = new BoundedServer(() => 0, 10);
  const announced = (hash: string, port: number) =>
    new Promise<void>((resolve) => {
      const url = `/announce?info_hash=${hash}&peer_id=${peerId(port)}&port=${port}&left=1&compact=1`;
      const connection = { remoteAddress: '192.0.2.7' };
      server.onHttpRequest({ url, headers: {}, connection }, { end: () => resolve() });
    });
  for (let port = 1; port <= MAX_PEERS + 50; port += 1) await announced(HASH, port);
  t.ok((server.torrents[infoHash]?.peers.length ?? 0) <= MAX_PEERS);
  for (let n = 0; n < 50; n += 1) await announced(`%${(n + 128).toString(16)}`.repeat(20), 5000);
  t.equal(server.swarms, 10);
  t.equal(Object.keys(server.torrents).length, 10);
  t.ok(server.torrents[infoHash], 'the one with many peers is still there');
});

t.test('only known fields reach the server, each once', async (t) => {
  t.equal(cleanUrl('/announce?info_hash=a&x=1&info_hash=b&port=1&socket=2&event='), '/announce?info_hash=a&port=1');
  t.equal(cleanUrl('/scrape?info_hash=a&info_hash=b&port=1'), '/scrape?info_hash=a&info_hash=b');
  for (const url of [
    '',
    '/',
    '/announce',
    '/scrape?',
    '/announce?port=1',
    'http://x/announce?info_hash=a',
    '/stats?info_hash=a',
  ])
    t.equal(cleanUrl(url), undefined, url);
});

t.test('the command says where it listens, serves, and ends with 0 at SIGTERM', async (t) => {
  const child = spawnMain(['tracker', '--listen', '127.0.0.1:0']);
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  await until('ready', () => /^ready \{.*\}\n/.test(output));
  const ready = JSON.parse(output.slice('ready '.length)) as { http: string; udp: string; pid: number };
  t.equal(ready.pid, child.pid);
  t.equal(ready.udp, ready.http);
  const port = Number(ready.http.split(':')[1]);
  t.match(await announce({ port } as RunningTracker, query(9)), { kind: 'peers' });
  child.kill('SIGTERM');
  t.same(await once(child, 'exit'), [0, null]);
});

t.test('a port that is taken is one line and exit code 1', async (t) => {
  const tracker = await running(t);
  const child = spawnMain(['tracker', '--listen', `127.0.0.1:${tracker.port}`]);
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  t.same(await once(child, 'close'), [1, null]);
  t.match(output, /^debtorrent: the tracker cannot listen on 127\.0\.0\.1:\d+: [^\n]+\n$/);
});

t.test('a listener on all addresses serves IPv4 and IPv6', async (t) => {
  const tracker = await startTracker({ host: '::', port: 0 }).catch(() => undefined);
  if (tracker === undefined) {
    t.pass('no IPv6 on this machine');
    return;
  }
  t.teardown(() => tracker.close());
  t.match(await announce(tracker, query(1)), { kind: 'peers' });
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
  t.teardown(() => socket.close());
  const six = async (datagram: Buffer, transaction: number) => {
    const answer = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(datagram, tracker.port, '::1');
    return parseUdpTrackerMessage((await answer)[0], transaction, 16);
  };
  const connected = await six(connectRequest(1), 1);
  if (connected?.kind !== 'connected') return t.fail('no connection');
  const answer = await six(announceRequest(connected.connection, 2, what), 2);
  t.match(JSON.stringify(answer), '{"host":"0:0:0:0:0:0:0:1","port":3003}', 'IPv6 peers over IPv6');
  return undefined;
});

interface LibraryClient extends EventEmitter {
  start(): void;
  destroy(): void;
}
type LibraryClientClass = new (options: object) => LibraryClient;

t.test("clients of bittorrent-tracker's make are served", async (t) => {
  const tracker = await running(t);
  const name = 'bittorrent-tracker/client';
  const { default: Client } = (await import(name)) as { default: LibraryClientClass };
  await announce(tracker, query(10));
  for (const url of [`http://127.0.0.1:${tracker.port}/announce`, `udp://127.0.0.1:${tracker.port}`]) {
    const client = new Client({ infoHash, peerId: '44'.repeat(20), announce: [url], port: 4004 });
    t.teardown(() => client.destroy());
    const peers: string[] = [];
    client.on('peer', (peer: string) => peers.push(peer));
    client.on('warning', (error: Error) => t.fail(error.message));
    client.start();
    await until('told', () => peers.includes('127.0.0.1:2010'));
    t.pass(url.slice(0, 4));
  }
});

import { createSocket, type Socket } from 'node:dgram';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Socket as TcpSocket } from 'node:net';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startTracker } from '../../../src/commands/tracker/tracker.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { InfoHash } from '../../../src/core/ids.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { skipWithout, sleep, until } from '../../support/process.ts';
import { randomBytes } from '../../support/random.ts';
import { find, freeUdpPort, newTorrent, type Finding } from './fixtures/found.ts';

/** Two that share a torrent find each other through a tracker. */
async function meet(t: Test, url: string, shared: InfoHash): Promise<void> {
  const one = find(t, 21_001, { trackers: [url] });
  one.torrents(shared);
  await until('announced', async () => (await one.discovery.behaviour.status()).sources[0]?.state === 'working');
  const two = find(t, 21_002, { trackers: [url] });
  two.torrents(shared);
  await until('found', () => two.has(shared, '127.0.0.1:21001'));
  const three = find(t, 21_003, { trackers: [url] });
  three.torrents(newTorrent(), shared);
  await until('both found', () => three.has(shared, '127.0.0.1:21001') && three.has(shared, '127.0.0.1:21002'));
  t.ok(three.found.every(({ torrent, via }) => torrent === shared && via === 'tracker'));
  t.same([...one.warnings, ...two.warnings], []);
}

t.test('peers find each other through this tracker', async (t) => {
  const tracker = await startTracker({ host: '127.0.0.1', port: 0 });
  t.teardown(() => tracker.close());
  await t.test('over HTTP', (t) => meet(t, `http://127.0.0.1:${tracker.port}/announce`, newTorrent()));
  await t.test('over HTTP, by a bare host', (t) => meet(t, `http://localhost:${tracker.port}`, newTorrent()));
  await t.test('over UDP', (t) => meet(t, `udp://127.0.0.1:${tracker.port}`, newTorrent()));
  await t.test('who stops is not named any more', async (t) => {
    const shared = newTorrent();
    for (const scheme of ['http', 'udp']) {
      const url = `${scheme}://127.0.0.1:${tracker.port}/announce`;
      const one = find(t, 21_004, { trackers: [url] });
      one.torrents(shared);
      await until('announced', async () => (await one.discovery.behaviour.status()).sources[0]?.state === 'working');
      t.equal(tracker.server.torrents[shared]?.peers.length, 1);
      await one.discovery.stop();
      await until('gone', () => tracker.server.torrents[shared]?.peers.length === 0);
    }
  });
});

t.test("peers find each other through Debian's opentracker", { skip: skipWithout('opentracker') }, async (t) => {
  const [overHttp, overUdp] = [newTorrent(), newTorrent()];
  const port = await freeUdpPort();
  const directory = mkdtempSync(join(tmpdir(), 'dt-opentracker-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  // Debian's build wants a list of the torrents that are welcome, and reads it as nobody
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'whitelist'), `${overHttp}\n${overUdp}\n`);
  const child = spawn(
    'opentracker',
    ['-i', '127.0.0.1', '-p', `${port}`, '-P', `${port}`, '-d', directory, '-w', 'whitelist'],
    {
      cwd: directory,
      stdio: 'ignore',
    },
  );
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await until('opentracker answers', () =>
    fetch(`http://127.0.0.1:${port}/stats`).then(
      () => true,
      () => false,
    ),
  );
  await t.test('over HTTP', (t) => meet(t, `http://127.0.0.1:${port}/announce`, overHttp));
  await t.test('over UDP', (t) => meet(t, `udp://127.0.0.1:${port}/announce`, overUdp));
});

async function httpTracker(t: Test, listener: RequestListener): Promise<string> {
  const server = createHttpServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`;
}

async function rawTracker(t: Test, serve: (socket: TcpSocket) => void): Promise<string> {
  const open = new Set<TcpSocket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    socket.once('data', () => serve(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`;
}

const sourceOf = async ({ discovery }: Finding) => (await discovery.behaviour.status()).sources[0];
const failing = (finding: Finding) => until('it fails', async () => (await sourceOf(finding))?.state === 'failing');

/** The clock runs a hundred times as fast, so that time limits end while the test waits. */
const hasty: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => systemClock.setTimeout(callback, ms / 100),
};

t.test('HTTP trackers that misbehave cost one line in the log each', async (t) => {
  const peers = (text: string | Buffer) =>
    Buffer.concat([Buffer.from('d5:peers'), Buffer.from(text), Buffer.from('e')]);
  const bodies: Record<string, string | Buffer> = {
    nothing: '',
    garbage: randomBytes('garbage', 10_000),
    'no dictionary': 'i5e',
    'a string without end': '99999999:x',
    'deep nesting': 'l'.repeat(100_000),
    'very many items': `d5:peersl${'i1e'.repeat(60_000)}ee`,
    'half an answer': 'd8:intervali60e5:peers6:ab',
    'compact peers of odd length': peers(`7:${'x'.repeat(7)}`),
    'peers that are a number': peers('i7e'),
    'a refusal without a reason': 'd14:failure reasoni5ee',
    'a refusal that would steer a terminal': 'd14:failure reason9:\x1b[2J\nFAKEe',
    'too much': Buffer.alloc(3 << 20, 'x'),
  };
  for (const [name, body] of Object.entries(bodies)) {
    await t.test(name, async (t) => {
      const finding = find(t, 21_005, { trackers: [await httpTracker(t, (_, answer) => answer.end(body))] });
      finding.torrents(newTorrent(), newTorrent());
      await failing(finding);
      t.equal(finding.warnings.length, 1);
      t.match(finding.warnings[0], /^tracker does not work [\x20-\x7e]+$/);
      t.same(finding.found, []);
    });
  }
  await t.test('a redirect to itself is not followed', async (t) => {
    let asked = 0;
    const url = await httpTracker(t, (request, answer) => {
      asked += 1;
      answer.writeHead(302, { Location: request.url }).end();
    });
    const finding = find(t, 21_005, { trackers: [url] });
    finding.torrents(newTorrent());
    await failing(finding);
    t.equal(asked, 1);
  });
  await t.test('a compressed answer is not unpacked', async (t) => {
    const url = await httpTracker(t, (_, answer) => answer.setHeader('Content-Encoding', 'gzip').end('x'));
    const finding = find(t, 21_005, { trackers: [url] });
    finding.torrents(newTorrent());
    await failing(finding);
  });
  const servers: Record<string, (socket: TcpSocket) => void> = {
    'closes at once': (socket) => socket.destroy(),
    'is no HTTP server': (socket) => socket.end(randomBytes('raw', 5_000)),
    'breaks off in the middle': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:interval'),
    'resets in the middle': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:interval', () => socket.resetAndDestroy());
    },
    'sends endless headers': (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(50_000)}`),
    upgrades: (socket) => socket.write('HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'),
    'informs for ever': (socket) => socket.end('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5_000)),
  };
  for (const [name, serve] of Object.entries(servers)) {
    await t.test(`one that ${name}`, async (t) => {
      const finding = find(t, 21_006, { trackers: [await rawTracker(t, serve)] });
      finding.torrents(newTorrent());
      await failing(finding);
      t.equal(finding.warnings.length, 1);
    });
  }
  await t.test('one that never ends its answer is given up', async (t) => {
    const url = await rawTracker(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const timer = setInterval(() => socket.write('d'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const finding = find(t, 21_006, { trackers: [url] }, { clock: hasty });
    finding.torrents(newTorrent());
    await failing(finding);
    t.match((await sourceOf(finding))?.error, 'it is too slow');
  });
});

t.test('whatever interval a tracker asks for, it is not asked more than once a minute', async (t) => {
  for (const interval of ['0', '1', '-1', '99999999999', '4294967295']) {
    let asked = 0;
    const url = await httpTracker(t, (_, answer) => {
      asked += 1;
      answer.end(`d8:intervali${interval}e5:peers0:e`);
    });
    const waits: number[] = [];
    const clock: Clock = {
      now: () => Date.now(),
      setTimeout(callback, ms) {
        // Not the time that one announcement has, nor that until addresses are looked at again.
        if (ms > 15_000 && ms !== 30_000) waits.push(ms);
        return systemClock.setTimeout(callback, ms);
      },
    };
    const finding = find(t, 21_007, { trackers: [url] }, { clock });
    finding.torrents(newTorrent());
    await until('it works', async () => (await sourceOf(finding))?.state === 'working');
    await until('planned', () => waits.length > 0);
    const next = waits.at(-1) ?? 0;
    t.ok(next > 59_000 && next <= 8_000_000, `${interval}: ${next}`);
    t.equal(asked, 1);
  }
});

/** Of an announcement, as 40 hexadecimal digits. */
function hashOf(url = ''): string {
  const [, hash = ''] = /info_hash=([^&]*)/.exec(url) ?? [];
  return [...hash.matchAll(/%(..)|(.)/g)]
    .map(([, hex, plain]) => hex ?? Buffer.from(plain ?? '').toString('hex'))
    .join('')
    .toLowerCase();
}

/** A clock that the test advances, and the longer waits that are set: until the next announcement, as a rule. */
function patient() {
  const manual = new ManualClock();
  const waits: number[] = [];
  const clock: Clock = {
    now: manual.now,
    setTimeout(callback, ms) {
      // Not the time that one announcement has, nor that until addresses are looked at again.
      if (ms > 15_000 && ms !== 30_000) waits.push(ms);
      return manual.setTimeout(callback, ms);
    },
  };
  const wait = async () => {
    await until('planned', () => waits.length > 0);
    return waits.shift() ?? 0;
  };
  const planned = (seconds: number) =>
    until(`next in ${seconds} s`, () => Math.round((waits.at(-1) ?? 0) / 1000) === seconds);
  return { clock, wait, planned, advance: (ms: number) => manual.advance(ms) };
}

t.test(
  'a tracker that names far fewer peers than before is asked again soon, and then at its usual times',
  async (t) => {
    const counts = [4, 1, 2, 4, 0, 0, 0, 0, 0];
    let least = '';
    let asked = 0;
    const url = await httpTracker(t, (_, answer) => {
      const peers = Buffer.alloc(6 * (counts[asked] ?? 0), 0x21);
      asked += 1;
      const head = `d8:intervali1800e${least}5:peers${peers.length}:`;
      answer.end(Buffer.concat([Buffer.from(head), peers, Buffer.from('e')]));
    });
    const { clock, wait, advance } = patient();
    const finding = find(t, 21_031, { trackers: [url] }, { clock });
    finding.torrents(newTorrent());
    advance(0);
    const waits: number[] = [];
    while (waits.length < 9) {
      const ms = await wait();
      waits.push(Math.round(ms / 6_000) / 10);
      if (waits.length === 6) least = '12:min intervali600e';
      advance(ms);
    }
    t.same(waits, [30, 2, 4, 30, 2, 4, 10, 16, 30], 'minutes; from the sixth on it wants to be left alone for ten');
  },
);

for (const [answers, first, waits] of [
  ['names peers', 'd8:intervali1800e5:peers0:e', [90]],
  ['refuses the first one', 'd14:failure reason2:noe', [63, 27]],
] as const) {
  t.test(`what was announced before a tracker was down is announced again when it ${answers}`, async (t) => {
    const asked: string[] = [];
    const it = { works: true };
    const url = await httpTracker(t, (request, answer) => {
      if (it.works) asked.push(hashOf(request.url));
      answer.writeHead(it.works ? 200 : 503).end(asked.length === 3 ? first : 'd8:intervali1800e5:peers0:e');
    });
    const { clock, planned, advance } = patient();
    const finding = find(t, 21_032, { trackers: [url] }, { clock, random: () => 0.75 });
    const [one, two] = [newTorrent(), newTorrent()];
    finding.torrents(one);
    advance(0);
    await planned(1_890);
    advance(900_000);
    finding.torrents(one, two);
    advance(0);
    await until('the other one', () => asked.length === 2);
    await planned(990);
    it.works = false;
    advance(990_000);
    await planned(32);
    it.works = true;
    advance(32_000);
    await until('it answers', () => asked.length === 3);
    // Not when its time comes, after 16 minutes.
    for (const [at, seconds] of waits.entries()) {
      await planned(seconds);
      advance(seconds * 1_000);
      await until('announced again', () => asked.length === 4 + at);
    }
    t.equal(asked.at(-1), asked[1]);
  });
}

t.test('one announcement that comes to nothing while others are answered has none made before its time', async (t) => {
  const asked: string[] = [];
  const mute = new Set<string>();
  const url = await httpTracker(t, (request, answer) => {
    const hash = hashOf(request.url);
    asked.push(hash);
    if (!mute.has(hash)) answer.end('d8:intervali1800e5:peers0:e');
  });
  const { clock, planned, advance } = patient();
  const finding = find(t, 21_033, { trackers: [url] }, { clock, random: () => 0.75 });
  const torrents = [newTorrent()];
  const [one = newTorrent()] = torrents;
  /** The tracker is asked about another one, which it may say nothing about. */
  const another = async (isMute = false) => {
    const torrent = newTorrent();
    torrents.push(torrent);
    if (isMute) mute.add(torrent);
    finding.torrents(...torrents);
    advance(20);
    await until('asked', () => asked.at(-1) === torrent);
  };
  const answers = async () => {
    await planned(32);
    mute.clear();
    const before = asked.length;
    advance(32_000);
    await until('it is asked again', () => asked.length === before + 1);
  };
  finding.torrents(one);
  advance(0);
  await planned(1_890);
  advance(900_000);
  await another();
  await planned(990);

  await another(true);
  advance(15_000);
  await answers();
  await planned(990 - 47);

  mute.add(one);
  advance((990 - 47) * 1_000);
  await until('the first one', () => asked.at(-1) === one);
  advance(1_000);
  await another();
  await planned(900 - 1);
  advance(14_000);
  await answers();
  t.equal(asked.at(-1), one);
  await planned(900 - 47);
});

t.test('addresses of services, of this machine and of no machine are not passed on', async (t) => {
  const torrent = newTorrent();
  const bad = ['127.0.0.1:22', '10.0.0.1:80', '0.0.0.0:5000', '224.0.0.1:5000', '255.255.255.255:5000', '8.8.8.8:0'];
  const compact = (addresses: readonly string[]) =>
    Buffer.concat(
      addresses.map((address) => {
        const [host = '', port] = address.split(':');
        const bytes = Buffer.from([...host.split('.').map(Number), 0, 0]);
        bytes.writeUInt16BE(Number(port), 4);
        return bytes;
      }),
    );
  const own = '127.0.0.1:21008';
  const bytes = compact([...bad, own, '192.0.2.9:5000']);
  const url = await httpTracker(t, (_, answer) =>
    answer.end(Buffer.concat([Buffer.from(`d8:intervali60e5:peers${bytes.length}:`), bytes, Buffer.from('e')])),
  );
  const finding = find(t, 21_008, { trackers: [url] });
  finding.torrents(torrent);
  await until('found', () => finding.found.length > 0);
  t.same(finding.found, [{ torrent, address: '192.0.2.9:5000', via: 'tracker' }]);
});

t.test('a tracker that names ever new addresses is bounded', async (t) => {
  let n = 0;
  const url = await httpTracker(t, (_, answer) => {
    const bytes = Buffer.alloc(6 * 200);
    for (let at = 0; at < bytes.length; at += 6) bytes.set([8, 8, (n += 1) >> 8, n & 255, 0x20, 0], at);
    answer.end(Buffer.concat([Buffer.from(`d5:peers${bytes.length}:`), bytes, Buffer.from('e')]));
  });
  const finding = find(t, 21_009, { trackers: [url] });
  finding.torrents(...Array.from({ length: 12 }, newTorrent));
  await until('asked for all', () => n >= 12 * 200);
  await sleep(50);
  t.ok(finding.found.length <= 300, `${finding.found.length} of ${n}`);
});

async function udpTracker(
  t: Test,
  answer: (datagram: Buffer, reply: (bytes: Buffer) => void) => void,
): Promise<string> {
  const socket: Socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  socket.on('message', (datagram, { address, port }) => answer(datagram, (bytes) => socket.send(bytes, port, address)));
  return `udp://127.0.0.1:${socket.address().port}`;
}

t.test('UDP trackers that misbehave', async (t) => {
  const head = (datagram: Buffer, action: number, more: Buffer) =>
    Buffer.concat([Buffer.from([0, 0, 0, action]), datagram.subarray(12, 16), more]);
  const isConnect = (datagram: Buffer) => datagram.length === 16;
  const announced = (then: (datagram: Buffer) => Buffer) => (datagram: Buffer, reply: (bytes: Buffer) => void) =>
    reply(isConnect(datagram) ? head(datagram, 0, Buffer.alloc(8, 1)) : then(datagram));
  const servers: Record<string, Parameters<typeof udpTracker>[1]> = {
    'peers of odd length': announced((datagram) => head(datagram, 1, Buffer.alloc(12 + 7, 1))),
    'an answer that is too short': announced((datagram) => head(datagram, 1, Buffer.alloc(3))),
    'an error': announced((datagram) => head(datagram, 3, Buffer.from('go away\x1b'))),
    'an error at once': (datagram, reply) => reply(head(datagram, 3, Buffer.alloc(60_000, 'x'))),
  };
  for (const [name, answer] of Object.entries(servers)) {
    await t.test(name, async (t) => {
      const finding = find(t, 21_010, { trackers: [await udpTracker(t, answer)] });
      finding.torrents(newTorrent());
      await failing(finding);
      t.equal(finding.warnings.length, 1);
      t.match(finding.warnings[0], /^[\x20-\x7e]{1,300}$/);
    });
  }
  await t.test('garbage, then the right answer', async (t) => {
    const torrent = newTorrent();
    const peer = Buffer.from([192, 0, 2, 9, 0x20, 0]);
    const url = await udpTracker(t, (datagram, reply) => {
      for (const length of [0, 1, 7, 8, 15, 60_000]) reply(randomBytes(`${length}`, length));
      reply(head(datagram, 77, Buffer.alloc(20)));
      if (isConnect(datagram)) for (let n = 0; n < 100; n += 1) reply(head(datagram, 0, Buffer.alloc(8, n)));
      else reply(head(datagram, 1, Buffer.concat([Buffer.alloc(12, 255), peer])));
    });
    const finding = find(t, 21_011, { trackers: [url] });
    finding.torrents(torrent);
    await until('found', () => finding.has(torrent, '192.0.2.9:8192'));
  });
  await t.test('one that never answers is given up', async (t) => {
    const finding = find(t, 21_012, { trackers: [await udpTracker(t, () => undefined)] }, { clock: hasty });
    finding.torrents(newTorrent());
    await failing(finding);
  });
  await t.test('nobody there', async (t) => {
    const finding = find(t, 21_013, { trackers: [`udp://127.0.0.1:${await freeUdpPort()}`] });
    finding.torrents(newTorrent());
    await failing(finding);
  });
});

t.test('what may be secret in a URL is in no log and no status', async (t) => {
  const url = await httpTracker(t, (_, answer) => answer.end('d14:failure reason2:noe'));
  const finding = find(t, 21_014, { trackers: [`${url}/passkey123?key=passkey456`] });
  finding.torrents(newTorrent());
  await failing(finding);
  t.notMatch(JSON.stringify([finding.warnings, await finding.discovery.behaviour.status()]), /passkey/);
});

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import t, { type Test } from 'tap';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { run, sleep, until } from '../../support/process.ts';
import { randomBytes, randomNumbers } from '../../support/random.ts';
import { find, freeUdpPort, newTorrent, type Finding } from './fixtures/found.ts';

const here = (port: number) => ({ host: '127.0.0.1', port });

const sourceOf = async ({ discovery }: Finding) => (await discovery.behaviour.status()).sources[0];
const working = (finding: Finding) => until('it works', async () => (await sourceOf(finding))?.state === 'working');

function dht(t: Test, listenPort: number, bind: number, bootstrap: readonly number[], isPrivate = false): Finding {
  const config = { dht: true, dhtBootstrap: bootstrap.map(here) };
  return find(t, listenPort, config, { dhtBind: here(bind), private: isPrivate });
}

/** The system's own: others do not see Debian's packages. */
const PYTHON = '/usr/bin/python3';
const libtorrent = await run(PYTHON, ['-c', 'import libtorrent']).then(
  ({ code }) => code === 0,
  () => false,
);

/** A node of another make; prints its port when it listens. */
const NODE = `
import libtorrent, time
s = libtorrent.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': True, 'enable_lsd': False,
  'enable_upnp': False, 'enable_natpmp': False, 'dht_bootstrap_nodes': '', 'dht_restrict_routing_ips': False,
  'dht_restrict_search_ips': False, 'dht_prefer_verified_node_ids': False, 'dht_enforce_node_id': False,
  'dht_ignore_dark_internet': False, 'alert_mask': 0})
while s.listen_port() == 0: time.sleep(0.02)
print(s.listen_port(), flush=True)
time.sleep(120)
`;

async function libtorrentNode(t: Test): Promise<number> {
  const child = spawn(PYTHON, ['-c', NODE], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await until('the node listens', () => output.endsWith('\n'));
  return Number(output);
}

const skip = libtorrent ? false : 'no python3-libtorrent on this machine';
t.test('peers find each other through nodes of libtorrent', { skip }, async (t) => {
  const nodes = [await libtorrentNode(t)];
  const shared = newTorrent();
  const one = dht(t, 22_001, await freeUdpPort(), nodes);
  one.torrents(shared);
  await working(one);
  const two = dht(t, 22_002, await freeUdpPort(), nodes);
  two.torrents(newTorrent(), shared);
  await until('found', () => two.has(shared, '127.0.0.1:22001'));
  t.ok(two.found.every(({ torrent, via }) => torrent === shared && via === 'dht'));
});

t.test('peers find each other through each other', async (t) => {
  const [first, second] = [await freeUdpPort(), await freeUdpPort()];
  const shared = newTorrent();
  const one = dht(t, 22_003, first, [second]);
  const two = dht(t, 22_004, second, [first]);
  one.torrents(newTorrent());
  await until('it listens', async () => (await sourceOf(one)) !== undefined);
  two.torrents(shared);
  await working(two);
  const three = dht(t, 22_005, await freeUdpPort(), [first]);
  three.torrents(shared);
  await until('found', () => three.has(shared, '127.0.0.1:22004'));
  t.same(one.found, []);
});

t.test('of several addresses of a machine the one is announced that its listener is bound to', async (t) => {
  const port = await freeUdpPort();
  const shared = newTorrent();
  const node = dht(t, 22_012, port, [await freeUdpPort()]);
  node.torrents(newTorrent());
  await until('it listens', async () => (await sourceOf(node))?.state === 'failing');
  const config = { dht: true, dhtBootstrap: [here(port)] };
  for (const [listenPort, listenHost] of [
    [22_013, '127.0.0.2'],
    [22_014, '::'],
    [22_015, '::1'],
  ] as const) {
    const bound = find(t, listenPort, config, { listenHost });
    bound.torrents(shared);
    await working(bound);
  }
  const looking = dht(t, 22_016, await freeUdpPort(), [port]);
  looking.torrents(shared);
  await until('found', () => looking.has(shared, '127.0.0.2:22013') && looking.has(shared, '127.0.0.1:22014'));
  t.same(looking.found.map(({ address }) => address).toSorted(), ['127.0.0.1:22014', '127.0.0.2:22013']);
});

t.test('in a private swarm there is no DHT', async (t) => {
  const finding = dht(t, 22_006, await freeUdpPort(), [22_007], true);
  finding.torrents(newTorrent());
  t.same(await finding.discovery.behaviour.status(), { torrents: 1, sources: [] });
});

t.test('without nodes it says so, once, and goes on', async (t) => {
  const finding = dht(t, 22_008, await freeUdpPort(), []);
  finding.torrents(newTorrent());
  await until('it fails', async () => (await sourceOf(finding))?.state === 'failing');
  t.equal(finding.warnings.length, 1);
});

t.test('a node whose name has no address at first is found later', async (t) => {
  const port = await freeUdpPort();
  const shared = newTorrent();
  const known = dht(t, 22_017, port, [await freeUdpPort()]);
  known.torrents(shared);
  // it has looked its own names up by then
  await until('it listens', async () => (await sourceOf(known))?.state === 'failing');
  const { lookup } = dns;
  const setLookup = (one: unknown) => {
    Object.assign(dns, { lookup: one });
    syncBuiltinESMExports();
  };
  t.teardown(() => setLookup(lookup));
  setLookup(() => Promise.reject(new Error('the network is not there yet')));
  // what takes minutes takes seconds
  const clock: Clock = {
    now: () => systemClock.now() * 20,
    setTimeout: (action, ms) => systemClock.setTimeout(action, ms / 20),
  };
  const config = { dht: true, dhtBootstrap: [{ host: 'node.example', port }] };
  const finding = find(t, 22_018, config, { dhtBind: here(await freeUdpPort()), clock });
  finding.torrents(shared);
  await until('it fails', async () => (await sourceOf(finding))?.state === 'failing');
  setLookup(() => Promise.resolve({ address: '127.0.0.1', family: 4 }));
  await working(finding);
});

t.test('hostile datagrams do not end the process, and the node goes on', async (t) => {
  const port = await freeUdpPort();
  const peer = await freeUdpPort();
  const victim = dht(t, 22_009, port, [peer]);
  const other = dht(t, 22_010, peer, [port]);
  const shared = newTorrent();
  victim.torrents(shared);
  other.torrents(shared);
  await working(other);
  const id = 'i'.repeat(20);
  const query = (name: string, args: string) => `d1:ad2:id20:${id}${args}e1:q${name.length}:${name}1:t2:aa1:y1:qe`;
  const hostile = [
    '',
    'd',
    'i1e',
    'le',
    'de',
    // most of these end a process that hands them to the library as they are
    'd1:yd8:toStringi1eee',
    'd1:q4:ping1:t2:aa1:yi5ee',
    'd1:ade1:qd8:toStringi1ee1:t2:aa1:y1:qe',
    query('find_node', '6:targeti5e'),
    query('get_peers', '9:info_hashi5e'),
    query('get_peers', '9:info_hashd1:xi1ee'),
    query('announce_peer', `9:info_hash20:${id}4:porti1e5:tokeni5e`),
    query('announce_peer', `9:info_hash20:${id}4:porti-1e5:token1:x`),
    query('put', `5:token1:x1:v${'l'.repeat(500)}${'e'.repeat(500)}`),
    query('get', '6:target3:abc'),
    query('ping', '9:__proto__d1:xi1ee'),
    'd1:t2:aa1:y1:rd2:idi5eee',
    `d1:rd2:id20:${id}5:nodes3:abc6:valuesli1ei2eee1:t2:aa1:y1:re`,
    `d1:rd2:id20:${id}5:nodes26:${'n'.repeat(26)}e1:t2:aa1:y1:re`,
    'd1:eli201e1:xe1:t2:aa1:y1:ee',
    'd1:e1:x1:t1:a1:y1:ee',
    'l'.repeat(1400),
    'd'.repeat(1400),
    `${'9'.repeat(1000)}:x`,
  ].map((text) => Buffer.from(text, 'latin1'));
  const random = randomNumbers('dht');
  const seed = Buffer.from(query('get_peers', `9:info_hash20:${id}`));
  const broken = Array.from({ length: 300 }, () => {
    const copy = Buffer.from(seed);
    for (let n = 0; n < 3; n += 1) copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
    return copy;
  });
  const sockets = Array.from({ length: 12 }, () => createSocket('udp4'));
  t.teardown(() => sockets.forEach((socket) => socket.close()));
  const all = [...hostile, ...broken, randomBytes('big', 60_000)];
  for (const [n, datagram] of all.entries()) {
    const socket = sockets[n % sockets.length];
    await new Promise<void>((resolve) => socket?.send(datagram, port, '127.0.0.1', () => resolve()));
    if (n % 50 === 0) await sleep(100);
  }
  // time for a node whose budget is used up
  await sleep(500);
  const later = dht(t, 22_011, await freeUdpPort(), [port]);
  later.torrents(shared);
  await until('found', () => later.has(shared, '127.0.0.1:22009') || later.has(shared, '127.0.0.1:22010'));
  t.same(
    victim.warnings.filter((line) => line.includes('could not be handled')),
    [],
  );
});

/** `peer-large`: 1 GiB from one peer over loopback, verified and on disk, against libtorrent doing the same. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentBytes } from '../support/access-log.ts';
import { settle } from '../support/apt-root.ts';
import type { BenchContext, Benchmark } from './benchmark.ts';
import { indexIsLoaded } from './contestants.ts';
import { type Daemon, type PeerOptions, daemonStatus, processorSeconds, startDaemon } from '../support/daemon.ts';
import { type Figure, compare } from './figures.ts';
import { httpDrain, until } from '../support/http-client.ts';
import { libtorrentLeech, libtorrentSeed, libtorrentVersion } from './libtorrent.ts';
import { linked } from '../support/linked.ts';
import { startNginx } from '../support/nginx.ts';
import { type Scope, withScope } from '../support/scope.ts';
import { SentByMirror } from '../support/sent-by-mirror.ts';
import { type SignedArchive, createSignedArchive } from '../support/signed-archive.ts';

const ROUNDS = 3;
const SIZE = 2 ** 30;
const LONGEST_MS = 120_000;

export const peerLarge: Benchmark = {
  name: 'peer-large',
  title: '1 GiB from one peer over loopback, verified and on disk',
  unable: async () => ((await libtorrentVersion()) === undefined ? 'it needs python3-libtorrent' : undefined),
  run: (context) => withScope(context.scope, (scope) => measure(scope, context)),
};

async function measure(scope: Scope, { directory, say }: BenchContext): Promise<Figure[]> {
  const root = join(directory, 'peer-large/archive');
  const archive = await createSignedArchive(scope, join(root, 'debian'), [{ name: 'bench-1gib', size: SIZE }]);
  const accessLog = join(directory, 'peer-large/access.log');
  const [mirrorPort = 0] = await startNginx(scope, [{ root, accessLog }]);
  const sent = new SentByMirror(accessLog);
  const setting = { directory, archive, mirrorPort };
  const seeding = await daemon(scope, setting, 'seed', { lan: false, fixed: [] });
  await httpDrain(`${seeding.base}/127.0.0.1:${mirrorPort}/debian/${archive.paths[0] ?? ''}`);
  await until(async () => existsSync(storePath(join(directory, 'peer-large/seed'), archive)), 30_000, 'the seed');
  const source = join(root, 'debian', archive.paths[0] ?? '');
  const libtorrent = await libtorrentSeed(scope, source, join(directory, 'peer-large/1gib.torrent'));

  const raw: Record<string, number[]> = {};
  const note = (key: string, value: number): void => void (raw[key] ??= []).push(value);
  for (let round = 0; round < ROUNDS; round++) {
    const touch = (): Promise<void> => settle(scope, directory, 3 * SIZE);
    for (const turn of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) await withScope(scope, turn);

    async function theirs(life: Scope): Promise<void> {
      const into = join(directory, `peer-large/libtorrent-${round}`);
      const times = await libtorrentLeech(life, libtorrent, into, touch);
      note('libtorrent', times.on_disk);
      note('libtorrent verified', times.verified);
      say(`  libtorrent: ${times.on_disk.toFixed(2)} s (verified ${times.verified.toFixed(2)} s)`);
      await life.close();
      await rm(into, { recursive: true });
    }
    async function ours(life: Scope): Promise<void> {
      const name = `leech-${round}`;
      const leech = await daemon(life, setting, name, { lan: false, fixed: [seeding.peer ?? '127.0.0.1:9'] });
      if (!(await linked([leech], 1))) say('  the two daemons did not connect');
      await touch();
      await sent.since();
      const before = [await processorSeconds(leech.pid), await processorSeconds(seeding.pid)] as const;
      const seconds = await timeToStore(leech, setting, join(directory, 'peer-large', name));
      const mirror = sentBytes(await sent.since()).packages / SIZE;
      const cpu = [await processorSeconds(leech.pid), await processorSeconds(seeding.pid)].map(
        (s, i) => s - (before[i] ?? 0),
      );
      const { totals } = await daemonStatus(leech);
      note('debtorrent', seconds);
      note('debtorrent mirror', mirror * 100);
      say(
        `  debtorrent: ${seconds.toFixed(2)} s, ${(SIZE / 2 ** 20 / seconds).toFixed(0)} MiB/s, mirror ${(mirror * 100).toFixed(1)} %, ` +
          `from peers ${Math.round((totals['from_peers_bytes'] ?? 0) / 1e6)} MB, processors ${cpu.map((s) => s.toFixed(1)).join(' + ')} s`,
      );
      await life.close();
      await rm(join(directory, 'peer-large', name), { recursive: true });
    }
  }
  return [
    compare(
      {
        benchmark: 'peer-large',
        measure: '1 GiB verified and on disk',
        unit: 's',
        ours: 'debtorrent',
        peer: 'libtorrent',
        target: { maxRatio: 0.5 },
        note: `libtorrent ${(await libtorrentVersion()) ?? ''}; a ratio of 0.5 is twice its speed`,
      },
      raw,
    ),
    compare(
      { benchmark: 'peer-large', measure: 'share of the mirror', unit: '%', ours: 'mirror', target: { maxValue: 1 } },
      { mirror: raw['debtorrent mirror'] ?? [] },
    ),
  ];
}

interface Setting {
  readonly directory: string;
  readonly archive: SignedArchive;
  readonly mirrorPort: number;
}

/** A daemon with an empty cache that has verified and loaded the archive's index. */
async function daemon(scope: Scope, setting: Setting, name: string, peers: PeerOptions): Promise<Daemon> {
  const { directory, archive, mirrorPort } = setting;
  const started = await startDaemon(scope, {
    cacheDir: join(directory, 'peer-large', name),
    port: 0,
    mirrors: [mirrorPort],
    logFile: join(directory, `peer-large-${name}.log`),
    keyrings: [archive.keyring],
    publicKeyrings: [archive.keyring],
    peers,
  });
  const dists = `${started.base}/127.0.0.1:${mirrorPort}/debian/dists/${archive.suite}`;
  await httpDrain(`${dists}/InRelease`);
  await httpDrain(`${dists}/main/binary-${archive.architecture}/Packages`);
  await indexIsLoaded(started, 1);
  return started;
}

function storePath(cache: string, { hashes }: SignedArchive): string {
  const hash = hashes[0] ?? '';
  return join(cache, 'files', hash.slice(0, 2), hash);
}

/**
 * Seconds from the request until the file has its name in the store, which it gets once it is verified and flushed.
 * The answer is not read: what a client costs is no part of this, and transfers do not wait for clients.
 */
async function timeToStore(daemon: Daemon, { archive, mirrorPort }: Setting, cache: string): Promise<number> {
  const path = storePath(cache, archive);
  const started = performance.now();
  const url = `${daemon.base}/127.0.0.1:${mirrorPort}/debian/${archive.paths[0] ?? ''}`;
  const request = http.get(url, { agent: false });
  request.on('error', () => undefined);
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  answer.pause();
  answer.on('error', () => undefined);
  try {
    while (!existsSync(path)) {
      if (performance.now() - started > LONGEST_MS) throw new Error('the file is not in the store after 120 s');
      await sleep(5);
    }
    return (performance.now() - started) / 1000;
  } finally {
    answer.destroy();
  }
}

/** The peer among BitTorrent clients: libtorrent through its Python binding, seed and leech as two processes. */
import { type ChildProcess, type SpawnOptions, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Scope, startProcess } from '../support/scope.ts';

/** Debian's own interpreter: the binding is a package of Debian's, which another Python does not see. */
const PYTHON = '/usr/bin/python3';
/** Seen from dist/scripts/bench/libtorrent.js. */
const PROGRAM = fileURLToPath(new URL('../../../scripts/bench/libtorrent-peer.py', import.meta.url));
const PIPES: SpawnOptions = { stdio: ['pipe', 'pipe', 'inherit'] };

/** Undefined where it is not installed. */
export async function libtorrentVersion(): Promise<string | undefined> {
  const answer = promisify(execFile)(PYTHON, ['-c', 'import libtorrent; print(libtorrent.__version__)']);
  return answer.then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

export interface LibtorrentSeed {
  readonly port: number;
  /** Path of the metadata. */
  readonly torrent: string;
}

/** Seeds one file until the scope ends. */
export async function libtorrentSeed(scope: Scope, file: string, torrent: string): Promise<LibtorrentSeed> {
  const child = startProcess(scope, PYTHON, [PROGRAM, 'seed', file, torrent], PIPES, 2000);
  const ready = await nextLine(child);
  return { port: Number(/^ready (\d+)$/.exec(ready)?.[1]), torrent };
}

export interface LeechTimes {
  /** Seconds until all pieces had the right hash. */
  readonly verified: number;
  /** Seconds until the file was flushed too, as the daemon's store does before a file gets its name. */
  readonly on_disk: number;
}

/** Fetches the file into an empty directory; `settle` runs once the session is up, before the clock does. */
export async function libtorrentLeech(
  scope: Scope,
  seed: LibtorrentSeed,
  directory: string,
  settle: () => Promise<void>,
): Promise<LeechTimes> {
  await mkdir(directory);
  const child = startProcess(scope, PYTHON, [PROGRAM, 'leech', seed.torrent, directory, `${seed.port}`], PIPES, 2000);
  await nextLine(child);
  await settle();
  child.stdin?.write('go\n');
  return JSON.parse(await nextLine(child)) as LeechTimes;
}

async function nextLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output');
  const lines = createInterface({ input: child.stdout });
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`libtorrent exited with ${code}`);
  });
  gone.catch(() => undefined); // also when the line has come first
  const [line] = (await Promise.race([once(lines, 'line'), gone])) as [string];
  lines.close();
  return line;
}

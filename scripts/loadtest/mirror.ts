/** The mirror of a run: nginx over the archive, and its account of what it sent. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LogEntry } from '../support/access-log.ts';
import { startNginx } from '../support/nginx.ts';
import type { Scope } from '../support/scope.ts';
import { SentByMirror } from '../support/sent-by-mirror.ts';
import type { LoadArchive } from './archive/load-archive.ts';
import { type Faults, needsRelay } from './faults/faults.ts';
import type { RelayOptions } from './faults/relay.ts';

export interface MirrorTraffic {
  readonly requests: number;
  /** Bytes of packages, of their bodies alone. */
  readonly packageBytes: number;
  readonly otherBytes: number;
  /** Bytes of all different packages that were asked for. */
  readonly distinctBytes: number;
  /** How often it sent each of them: packageBytes / distinctBytes; undefined where it sent none. */
  readonly copies: number | undefined;
  /** Answers that were errors. */
  readonly errors: number;
}

export interface LoadMirror {
  /** HOST:PORT */
  readonly address: string;
  /** What was sent since the last call. */
  traffic(): Promise<MirrorTraffic>;
}

export interface MirrorOptions {
  readonly archive: LoadArchive;
  /** For its log. */
  readonly directory: string;
  readonly faults: Faults;
  readonly seed: string;
}

export async function startMirror(
  scope: Scope,
  { archive, directory, faults, seed }: MirrorOptions,
): Promise<LoadMirror> {
  const accessLog = join(directory, 'mirror-access.log');
  const bad = needsRelay(faults);
  const [good] = await startNginx(scope, [{ root: archive.root, ...(bad ? {} : { accessLog }) }]);
  if (good === undefined) throw new Error('the mirror has no port');
  const port = bad ? await startRelayThread(scope, { mirror: `127.0.0.1:${good}`, faults, seed, accessLog }) : good;
  const sent = new SentByMirror(accessLog);
  const sizes = new Map(archive.packages.map(({ path, size }) => [`/${archive.base}/${path}`, size]));
  return { address: `127.0.0.1:${port}`, traffic: async () => countTraffic(await sent.since(), sizes) };
}

async function startRelayThread(scope: Scope, workerData: RelayOptions): Promise<number> {
  scope.assertOpen();
  const worker = new Worker(new URL('faults/relay.worker.js', import.meta.url), { workerData });
  scope.defer(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  return port;
}

/** @param sizes Of each package, by path on the mirror */
export function countTraffic(log: readonly LogEntry[], sizes: ReadonlyMap<string, number>): MirrorTraffic {
  let [packageBytes, otherBytes, errors] = [0, 0, 0];
  const asked = new Map<string, number>();
  for (const { status, bytes, path } of log) {
    const decoded = decode(path);
    const size = sizes.get(decoded);
    if (status >= 400) errors += 1;
    if (size === undefined || status >= 300) otherBytes += bytes;
    else {
      packageBytes += bytes;
      asked.set(decoded, size);
    }
  }
  const distinctBytes = [...asked.values()].reduce((sum, size) => sum + size, 0);
  const copies = distinctBytes > 0 ? packageBytes / distinctBytes : undefined;
  return { requests: log.length, packageBytes, otherBytes, distinctBytes, copies, errors };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

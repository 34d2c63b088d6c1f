/** Fills the target's cache before the load begins: each file once, by a few clients, through the same code. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadArchive } from './archive/load-archive.ts';
import { AptFetcher, type FetchObserver, type Wanted } from './client/apt-fetcher.ts';
import { ReadBuffer } from './client/connection.ts';
import type { Route } from './client/route.ts';

const CLIENTS = 4;
const ROUNDS = 4;
const PAUSE_MS = 1000;
/** Some targets are slow with the first byte, but one that sends none of any file for so long will not be warm. */
const SILENCE_MS = 120_000;
const SILENT: FetchObserver = {
  received: () => undefined,
  fetched: () => undefined,
  retried: () => undefined,
  failed: () => undefined,
};

/** @throws Error when the target does not give a file */
export async function warmUp(
  routes: readonly Route[],
  archive: LoadArchive,
  signal: AbortSignal,
  silenceMs = SILENCE_MS,
): Promise<void> {
  const into = new ReadBuffer();
  for (const route of routes) {
    const silence = setTimeout(() => stop(), silenceMs);
    const observer = { ...SILENT, received: () => void silence.refresh() };
    const clients = Array.from({ length: CLIENTS }, () => new AptFetcher({ route, into, observer }));
    let stopped = false;
    const stop = (): void => {
      stopped = true;
      for (const client of clients) client.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      const lists: Wanted[] = [
        { ...archive.release, kind: 'release' },
        { ...archive.index, kind: 'index' },
      ];
      for (const list of lists) if (clients[0]) await fetchAll(route, clients[0], [list]);
      const shares = clients.map((_, i) => archive.packages.filter((_package, at) => at % CLIENTS === i));
      await Promise.all(
        clients.map(async (client, i) => {
          const wanted = (shares[i] ?? []).map((one): Wanted => ({ ...one, kind: 'package' }));
          await fetchAll(route, client, wanted);
        }),
      );
    } catch (error) {
      if (!stopped || signal.aborted) throw error;
      throw new Error(`${route.hostHeader}: nothing came for ${silenceMs / 1000} s`, { cause: error });
    } finally {
      clearTimeout(silence);
      stop();
      signal.removeEventListener('abort', stop);
    }
  }
}

/** What fails is asked for again, later: apt-cacher-ng refuses some of what is asked for in a rush. */
async function fetchAll(route: Route, client: AptFetcher, all: readonly Wanted[]): Promise<void> {
  let wanted = all;
  let code = '';
  for (let round = 0; round < ROUNDS && wanted.length > 0; round++) {
    if (round > 0) await delay(PAUSE_MS);
    const got = await client.fetchAll(wanted);
    if (got.some(({ result }) => result === 'left')) throw new Error('stopped');
    wanted = wanted.filter((_, i) => {
      const one = got[i];
      if (one?.result === 'failed') ({ code } = one);
      return one?.result === 'failed';
    });
  }
  if (wanted.length > 0) throw new Error(`${route.hostHeader}: ${wanted[0]?.path ?? ''}: ${code}`);
}

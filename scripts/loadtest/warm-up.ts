/** Fills the target's cache before the load begins: each file once, by a few clients, through the same code. */
import type { LoadArchive } from './archive/load-archive.ts';
import { AptFetcher, type FetchObserver, type Wanted } from './client/apt-fetcher.ts';
import { ReadBuffer } from './client/connection.ts';
import type { Route } from './client/route.ts';

const CLIENTS = 4;
const SILENT: FetchObserver = {
  received: () => undefined,
  fetched: () => undefined,
  retried: () => undefined,
  failed: () => undefined,
};

/** @throws Error when the target does not give a file */
export async function warmUp(routes: readonly Route[], archive: LoadArchive, signal: AbortSignal): Promise<void> {
  const into = new ReadBuffer();
  for (const route of routes) {
    const clients = Array.from({ length: CLIENTS }, () => new AptFetcher({ route, into, observer: SILENT }));
    const stop = (): void => clients.forEach((client) => client.close());
    signal.addEventListener('abort', stop, { once: true });
    try {
      const lists: Wanted[] = [
        { ...archive.release, kind: 'release' },
        { ...archive.index, kind: 'index' },
      ];
      for (const list of lists) check(route, [list], (await clients[0]?.fetchAll([list])) ?? []);
      const shares = clients.map((_, i) => archive.packages.filter((_package, at) => at % CLIENTS === i));
      await Promise.all(
        clients.map(async (client, i) => {
          const wanted = (shares[i] ?? []).map((one): Wanted => ({ ...one, kind: 'package' }));
          check(route, wanted, await client.fetchAll(wanted));
        }),
      );
    } finally {
      stop();
      signal.removeEventListener('abort', stop);
    }
  }
}

function check(route: Route, wanted: readonly Wanted[], got: Awaited<ReturnType<AptFetcher['fetchAll']>>): void {
  for (const [i, one] of got.entries()) {
    if (one.result === 'left') throw new Error('stopped');
    if (one.result === 'failed') throw new Error(`${route.hostHeader}: ${wanted[i]?.path ?? ''}: ${one.code}`);
  }
}

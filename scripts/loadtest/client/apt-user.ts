/** One simulated user of APT: apt-get update, apt-get install, a pause, and again. */
import type { LoadArchive } from '../archive/load-archive.ts';
import { type Load, type Session, sessionOf, startOf } from '../load/load.ts';
import type { Sampler } from '../load/popularity.ts';
import { AptFetcher, type Fetched, type FetchObserver, type FetcherOptions, type Wanted } from './apt-fetcher.ts';
import type { ReadBuffer } from './connection.ts';
import type { Route } from './route.ts';

/** What a client needs to know of an archive. */
export type ArchiveFacts = Pick<LoadArchive, 'release' | 'index' | 'indexPath' | 'packages'>;

export interface UserObserver extends FetchObserver {
  /** @param delta 1 when a session begins, -1 when it is over */
  active(delta: 1 | -1): void;
  /** A session went from its first request to its last byte, without an error. */
  sessionDone(ms: number): void;
  /** The client went away in the middle, as planned. */
  sessionLeft(): void;
  sessionFailed(): void;
}

export interface UserOptions {
  readonly load: Load;
  readonly archive: ArchiveFacts;
  readonly sampler: Sampler;
  readonly route: Route;
  readonly observer: UserObserver;
  readonly into: ReadBuffer;
  /** No session begins after it; those that have begun are dropped. */
  readonly signal: AbortSignal;
  readonly fetcher?: Partial<FetcherOptions>;
}

/** Resolves after the last session of this client. */
export async function simulateUser(client: number, options: UserOptions): Promise<void> {
  const { load, sampler, signal, observer } = options;
  let lists: Lists = { modified: undefined, index: false };
  await pause(startOf(load, client), signal);
  for (let number = 0; number < load.sessions && !signal.aborted; number++) {
    const session = sessionOf(load, sampler, client, number);
    const { route, into, fetcher: more } = options;
    const fetcher = new AptFetcher({ ...more, route, into, observer });
    const stop = (): void => fetcher.close();
    signal.addEventListener('abort', stop, { once: true });
    const began = performance.now();
    observer.active(1);
    try {
      const outcome = await runSession(fetcher, session, lists, options);
      lists = outcome.lists;
      if (signal.aborted) return;
      if (outcome.result === 'ok') observer.sessionDone(performance.now() - began);
      else if (outcome.result === 'left') observer.sessionLeft();
      else observer.sessionFailed();
    } finally {
      observer.active(-1);
      fetcher.close();
      signal.removeEventListener('abort', stop);
    }
    if (number + 1 < load.sessions) await pause(session.thinkMs, signal);
  }
}

/** What the client keeps from one session to the next. */
interface Lists {
  /** Last-Modified of its Release. */
  readonly modified: string | undefined;
  readonly index: boolean;
}

interface Outcome {
  readonly result: Fetched['result'];
  readonly lists: Lists;
}

async function runSession(fetcher: AptFetcher, session: Session, lists: Lists, options: UserOptions): Promise<Outcome> {
  const { archive } = options;
  const release: Wanted = { ...archive.release, kind: 'release', modifiedSince: lists.modified };
  const [update] = await fetcher.fetchAll([release]);
  if (update === undefined || update.result === 'failed' || update.result === 'left') {
    return { result: update?.result ?? 'failed', lists };
  }
  const modified = update.result === 'ok' ? update.lastModified : lists.modified;
  if (update.result === 'ok' || !lists.index) {
    const index = await fetchIndex(fetcher, archive);
    if (index !== 'ok') return { result: index, lists };
  }
  // apt-get update and apt-get install are two processes, each with a connection of its own
  fetcher.close();
  if (options.signal.aborted) return { result: 'left', lists };
  const packages = session.packages.flatMap((number): Wanted[] => {
    const facts = archive.packages[number];
    return facts === undefined ? [] : [{ ...facts, kind: 'package' }];
  });
  const fetched = await fetcher.fetchAll(packages, session.leave);
  const worst = (['left', 'failed'] as const).find((result) => fetched.some((one) => one.result === result));
  return { result: worst ?? 'ok', lists: { modified, index: true } };
}

/** By its hash, and where that is not there by its name. */
async function fetchIndex(fetcher: AptFetcher, { index, indexPath }: ArchiveFacts): Promise<Fetched['result']> {
  for (const path of [index.path, indexPath]) {
    const [got] = await fetcher.fetchAll([{ ...index, path, kind: 'index', elsewhere: path !== indexPath }]);
    if (got?.result !== 'failed' || got.code !== 'http-404') return got?.result ?? 'failed';
  }
  return 'failed';
}

/** Ends early, without an error, when the signal does. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

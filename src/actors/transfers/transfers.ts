/**
 * The directory of transfers: one for each file that is being fetched, shared by all who ask for it. It decides
 * whether the cache can answer, whether the mirror must be asked first, or whether a transfer has to start.
 */
import { MAX_FILE_BYTES } from '../../core/archive/deb822-bytes.ts';
import type { DatedClock } from '../../core/clock.ts';
import { DebtorrentError } from '../../core/errors.ts';
import { firstId } from '../../core/first-id.ts';
import { transferKey, type FetchPlan } from '../../core/fetch-plan.ts';
import { SMALL_FILE_BYTES } from '../../core/job-size.ts';
import type { MirrorUrl, Sha256, TransferKey } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { Spoilt } from '../../core/spoilt.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import type { Hashing } from '../hashing.ts';
import type { JobId, SourceProtocol, SourceSinkProtocol } from '../source.ts';
import type { StoredFile, StoreProtocol } from '../store/protocol.ts';
import type { PeersSinkProtocol } from '../swarm/protocol.ts';
import type { ArrivingFile, FileHead, TransferId, TransfersProtocol, WholeFile } from './protocol.ts';
import { checkCached, type Cached } from './cached.ts';
import { MirrorHealth } from './mirror-health.ts';
import { PeerDirectory, type PeersRef } from './peer-directory.ts';
import { rangeJob } from './range-job.ts';
import { fromName, fromStore } from './whole-file.ts';
import { Transfer, type TransferDeps } from './transfer.ts';

export interface TransfersDeps {
  readonly store: ActorRef<StoreProtocol>;
  readonly mirror: ActorRef<SourceProtocol>;
  /** Absent where there are no swarms: everything comes from mirrors then. */
  readonly peers?: PeersRef | undefined;
  readonly hashing: Hashing;
  readonly clock: DatedClock;
  readonly log: Logger;
  readonly connections: number;
  finalPath(sha256: Sha256): string;
}

/** Transfers at once; more are refused (OVERLOADED). */
const MAX_TRANSFERS = 4096;
/** An ended transfer is remembered for readers that have not heard of its end, in milliseconds. */
const REMEMBER_MS = 30_000;
/** Headers of a small file go out after this time though it is not whole, in milliseconds. */
const HEADERS_MS = 1_000;
/** As long as nothing has come they wait a little longer: after them a 404 can only be told by closing the connection. */
const NOTHING_MS = 5_000;
/** When a mirror fails they wait for what becomes of that, but not so long that APT gives up (30 s), in milliseconds. */
const TROUBLED_MS = 20_000;
/** Nobody waits longer than this for what headers need; the gateway's patience ends a little later. */
const OPEN_MS = 110_000;
const HEAD_DEADLINE_MS = 30_000;

export interface Transfers {
  readonly behaviour: Behaviour<TransfersProtocol & SourceSinkProtocol & PeersSinkProtocol>;
  /** Parks what runs. */
  stop(): Promise<void>;
}

export function createTransfers(deps: TransfersDeps): Transfers {
  const { store, clock, log } = deps;
  const byKey = new Map<TransferKey, Transfer>();
  const byId = new Map<TransferId, Transfer>();
  const byJob = new Map<JobId, Transfer>();
  const health = new MirrorHealth(clock.now);
  const directory = deps.peers && new PeerDirectory(deps.peers);
  void directory?.begin();
  /** Cached files whose hash is being checked before their name is looked at. */
  const checking = new Map<Sha256, Promise<boolean>>();
  /** Ended transfers that are still remembered. */
  const remembered = new Set<{ clear(): void }>();
  const spoilt = new Spoilt(clock.now);
  const totals = { hashFailures: 0, fromMirrorBytes: 0, fromPeersBytes: 0 };
  let nextId = firstId();
  let nextJobId = firstId();
  let stopping = false;

  const transferDeps: TransferDeps = {
    store,
    mirror: deps.mirror,
    clock,
    log,
    connections: deps.connections,
    maxSize: MAX_FILE_BYTES,
    sha256: (path, size) => deps.hashing.sha256(path, size),
    sha256Along: (path, size, mark) => deps.hashing.sha256Along(path, size, mark),
    nextJobId: () => nextJobId++,
    register: (id, transfer) => byJob.set(id, transfer),
    unregister: (id) => byJob.delete(id),
    failing: (url) => health.failing(url),
    mirrorFailed: (url, failed) => health.noteOutcome(url, failed),
    noteRate: (...measured) => health.noteRate(...measured),
    mirrorRate: (url) => health.rate(url),
    directory,
    peersReceived: (bytes) => {
      totals.fromPeersBytes += bytes;
    },
    finalPath: deps.finalPath,
    spoilt: (file) => spoilt.add(file),
    hashFailed: () => {
      totals.hashFailures += 1;
    },
  };

  function start(plan: FetchPlan, from: number, cached?: Cached): Transfer {
    const key = transferKey(plan);
    // Whoever asked while this one was looking at the cache has started it already.
    const running = byKey.get(key);
    if (running !== undefined) return joined(running, plan);
    if (stopping) throw new DebtorrentError('STOPPING', 'the daemon is stopping');
    if (byKey.size >= MAX_TRANSFERS) throw new DebtorrentError('OVERLOADED', 'too many files are being fetched');
    const transfer = new Transfer(transferDeps, nextId++, plan, from, cached);
    byKey.set(key, transfer);
    byId.set(transfer.id, transfer);
    void transfer
      .run()
      .then(() => transfer.settled())
      .finally(() => {
        byKey.delete(key);
        remember(transfer);
      });
    return transfer;
  }

  /** Who joins a file that was fetched ahead waits for it, unless it is wanted ahead once more. */
  function joined(running: Transfer, plan: FetchPlan): Transfer {
    if (plan.ahead !== true) running.jobs.mirror.wanted();
    return running;
  }

  /** A slow reader may come back for the rest long after the end. */
  function remember(transfer: Transfer): void {
    if (stopping) return;
    const timer = clock.setTimeout(() => {
      remembered.delete(timer);
      if (transfer.clients > 0) remember(transfer);
      else byId.delete(transfer.id);
    }, REMEMBER_MS);
    remembered.add(timer);
  }

  /** The file still has the bytes whose hash it is named by. */
  async function isRight(file: StoredFile): Promise<boolean> {
    if (isKnownRight(file)) return true;
    let check = checking.get(file.sha256);
    if (check === undefined) {
      check = checkCached(transferDeps, file).finally(() => checking.delete(file.sha256));
      checking.set(file.sha256, check);
    }
    return check;
  }

  /**
   * The transfer of this content. One that has failed is waited for until its place is free for the next, and so is one
   * without a hash that has ended: whoever asks now wants what the mirror has now.
   */
  async function alive(plan: FetchPlan): Promise<Transfer | undefined> {
    const key = transferKey(plan);
    for (;;) {
      const running = byKey.get(key);
      if (running === undefined || stopping) return running;
      if (running.fault === undefined && (plan.sha256 !== undefined || !running.ended)) return running;
      await running.settled();
    }
  }

  async function findOrStart(plan: FetchPlan, from: number): Promise<WholeFile | Transfer> {
    const running = await alive(plan);
    if (running !== undefined) {
      // Where this one asks is another place for it when the first ones fail.
      joined(running, plan).candidates.add([plan.url, ...plan.alternates]);
      // Fetched a moment ago, and not flushed yet.
      const done = plan.sha256 === undefined ? undefined : running.result;
      return done === undefined ? running : { ...done, source: 'cache' };
    }
    if (plan.sha256 !== undefined) {
      const file = await store.ask('find', plan.sha256);
      if (file === undefined || (plan.size !== undefined && file.size !== plan.size)) return start(plan, from);
      return isKnownRight(file) ? fromStore(file) : start(plan, from, { file, check: 'hash' });
    }
    const record = await store.ask('name', plan.url);
    const file = record && (await store.ask('find', record.sha256));
    if (record === undefined || file === undefined || file.size !== record.size) return start(plan, from);
    if (!(await isRight(file))) return start(plan, from);
    if (plan.revalidate === 'heuristic' && record.freshUntil > clock.date()) {
      return fromName(file, record);
    }
    return start(plan, from, { file, check: 'mirror', record });
  }

  /** Also a file that is right: who asks may have wrong bytes of it from before. */
  function marked<T extends WholeFile | ArrivingFile>(plan: FetchPlan, file: T): T {
    return spoilt.has(plan) ? { ...file, spoilt: true } : file;
  }

  async function open(plan: FetchPlan, from: number): Promise<WholeFile | ArrivingFile> {
    const found = await findOrStart(plan, from);
    if (!(found instanceof Transfer)) return found;
    found.clients += 1;
    try {
      const openedAt = clock.now();
      while (!found.ended) {
        const waited = clock.now() - openedAt;
        const late = waited >= HEADERS_MS;
        // A small file is answered when it is whole: nothing can go wrong any more then.
        const small = found.size !== undefined && found.size <= SMALL_FILE_BYTES;
        const patience = found.troubled ? TROUBLED_MS : found.started ? 0 : NOTHING_MS;
        const ready = (found.started || found.readable) && waited >= patience;
        // Hashing a cached file takes less time than APT takes to recover from an answer that ends short.
        if (ready && (late || (found.started && !small && !found.rechecking))) {
          found.clients += 1;
          return found.view();
        }
        if (waited >= OPEN_MS) throw new DebtorrentError('MIRROR_TIMEOUT', `${plan.url}: nothing came in time`);
        const next = [HEADERS_MS, NOTHING_MS, TROUBLED_MS, OPEN_MS].find((ms) => ms > waited) ?? 0;
        await found.news(next - waited);
      }
      return outcomeOf(found);
    } finally {
      found.clients -= 1;
    }
  }

  async function fetch(plan: FetchPlan): Promise<WholeFile> {
    const found = await findOrStart(plan, 0);
    if (!(found instanceof Transfer)) return found;
    while (!found.ended) await found.news();
    // A file without a hash is asked for anew each time: its name has to be there for the next one.
    if (plan.sha256 === undefined) await found.settled();
    return outcomeOf(found);
  }

  async function head(url: MirrorUrl, reload?: boolean): Promise<FileHead> {
    const job = rangeJob({ url, reload, start: 0, maxSize: MAX_FILE_BYTES });
    const outcome = await deps.mirror
      .within(HEAD_DEADLINE_MS)
      .ask('fetch', { ...job, id: nextJobId++, headersOnly: true, path: '' });
    if (outcome.kind === 'failed') throw new DebtorrentError(outcome.code, `${url}: ${outcome.message}`);
    if (outcome.kind !== 'done') throw new DebtorrentError('MIRROR_PROTOCOL', `${url}: ${outcome.kind}`);
    const { size, lastModified, etag, contentType } = outcome.info;
    return { size, sha256: undefined, lastModified, etag, contentType };
  }

  const running = () => [...byKey.values()].filter(({ ended }) => !ended);

  return {
    behaviour: {
      open: async (plan, from) => marked(plan, await open(plan, from)),
      fetch: async (plan) => marked(plan, await fetch(plan)),
      async cached(sha256) {
        const file = await store.ask('find', sha256);
        return file?.verified === true ? fromStore(file) : undefined;
      },
      head,
      async wait(id, position, epoch) {
        const transfer = byId.get(id);
        if (transfer === undefined) return { kind: 'failed', code: 'INTERNAL', message: `no transfer ${id}`, epoch };
        return transfer.wait(position, epoch);
      },
      leave(id) {
        const transfer = byId.get(id);
        if (transfer !== undefined) transfer.clients -= 1;
      },
      suspect: (sha256) => void store.tell('doubt', sha256),
      status: () => ({ transfers: running().map((transfer) => transfer.status()), totals }),
      started: (id, info, sender) => byJob.get(id)?.jobs.mirror.jobStarted(id, info, sender),
      wrote(id, start_, end) {
        totals.fromMirrorBytes += end - start_;
        byJob.get(id)?.jobs.mirror.jobWrote(id, start_, end);
      },
      offered: (id, view) => directory?.offered(id, view),
      peerWrote: (id, start_, end) => byJob.get(id)?.jobs.peerWrote(id, start_, end),
      neighbours(links) {
        directory?.neighbours(links);
        for (const transfer of byKey.values()) if (!transfer.ended) transfer.jobs.neighboursChanged();
      },
    },
    async stop() {
      stopping = true;
      for (const timer of remembered) timer.clear();
      remembered.clear();
      const all = [...byKey.values()];
      for (const transfer of all) transfer.park();
      await Promise.all(all.map((transfer) => transfer.settled()));
      // Messages are handled in order: when this one is answered the store has begun on all that were told before.
      await store.ask('stats').catch(() => undefined);
    },
  };
}

/** Without hashing it once more. */
function isKnownRight({ verified, checkAgain }: StoredFile): boolean {
  return verified && !checkAgain;
}

function outcomeOf(transfer: Transfer): WholeFile {
  if (transfer.result !== undefined) return transfer.result;
  throw transfer.fault ?? new DebtorrentError('INTERNAL', 'a transfer without an outcome');
}

/**
 * The source that is always there: ranges of files from their mirrors, over a bounded number of kept connections to
 * each. It also answers what only a mirror knows, the size of a file that nobody has asked for yet.
 */
import { Cancellation } from '../../core/cancellation.ts';
import { isRecent, type DatedClock } from '../../core/clock.ts';
import { asDebtorrentError, type ErrorCode } from '../../core/errors.ts';
import { mirrorRequest, type MirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { TokenBucket } from '../../core/swarm/token-bucket.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import type { JobId, RangeJob, RangeOutcome, SourceProtocol, SourceSinkProtocol } from '../source.ts';
import { createExchanger } from './exchange.ts';
import { fetchRange, type Fetched, type Slot } from './fetch-range.ts';
import { MirrorQueue, MOST_BEYOND, type Place } from './mirror-queue.ts';
import { rowFor } from './mirror-rows.ts';
import type { MirrorTimeouts } from './timeouts.ts';

export interface MirrorStats {
  readonly host: string;
  readonly bytes: number;
  readonly errors: number;
  /** A failure that may pass (no connection, silence, an error of the server) was lately, and nothing good came since. */
  readonly failing: boolean;
  readonly last_error: { readonly code: ErrorCode; /** Milliseconds since the epoch. */ readonly at: number } | null;
}

export interface HttpBackupProtocol extends SourceProtocol {
  stats(): MirrorStats[];
}

export interface HttpBackupDeps extends Pick<DatedClock, 'now' | 'date'> {
  readonly rules: HostRules;
  /** Connections to one mirror, 1 or more. */
  readonly connections: number;
  readonly timeouts: MirrorTimeouts;
  readonly userAgent: string;
  readonly via?: string;
  /** On what all mirrors send. */
  readonly limit?: TokenBucket | undefined;
  readonly sink: Pick<ActorRef<SourceSinkProtocol>, 'tell'>;
  readonly ca?: (() => string[]) | undefined;
}

export interface HttpBackup {
  readonly behaviour: Behaviour<HttpBackupProtocol>;
  stop(): Promise<void>;
}

interface Running {
  readonly url: MirrorUrl;
  readonly cancellation: Cancellation;
  /** In the queues of mirrors. */
  group: string;
  /** Where it waits, or has waited last. */
  queue: MirrorQueue | undefined;
  /** What it has got last. */
  place: Place | undefined;
}

type Figures = { -readonly [K in Exclude<keyof MirrorStats, 'host'>]: MirrorStats[K] };

/** A mirror that is not asked any more does not fail for ever, but as long as people look why APT failed. */
const FAILING_MS = 120_000;

export function createHttpBackup(deps: HttpBackupDeps): HttpBackup {
  const exchanger = createExchanger(deps);
  /** For jobs beyond the limit; its connections are closed soon after. */
  const beyondLimit = createExchanger({ ...deps, connections: MOST_BEYOND });
  const queues = new Map<string, MirrorQueue>();
  const jobs = new Map<JobId, Running>();
  const figures = new Map<string, Figures>();

  const figuresOf = (host: string) => {
    const name = rowFor(figures, host);
    let entry = figures.get(name);
    if (entry === undefined) figures.set(name, (entry = { bytes: 0, errors: 0, failing: false, last_error: null }));
    return entry;
  };

  const fetchDeps = {
    ...deps,
    received: (host: string, bytes: number, good: boolean) => {
      const entry = figuresOf(host);
      entry.bytes += bytes;
      if (good) entry.failing = false;
    },
  };

  function noteOutcome({ outcome, url }: Fetched): void {
    if (outcome.kind === 'failed' && (outcome.code === 'CANCELLED' || outcome.code === 'OVERLOADED')) return;
    const entry = figuresOf(mirrorRequest(url).host);
    // a file that is not there says nothing against the mirror
    entry.failing = outcome.kind === 'failed' && outcome.transient;
    if (outcome.kind !== 'failed' || outcome.code === 'DIRECTORY') return;
    entry.errors += 1;
    if (outcome.transient) entry.last_error = { code: outcome.code, at: deps.date() };
  }

  /** A place in the queue of the mirror that is asked: not of the one that may have redirected to it. */
  async function slotFor(job: RangeJob, running: Running, { origin }: MirrorRequest): Promise<Slot> {
    let queue = queues.get(origin);
    if (queue === undefined) queues.set(origin, (queue = new MirrorQueue(deps.connections)));
    const tidy = () => {
      if (queue.idle && queues.get(origin) === queue) queues.delete(origin);
    };
    running.queue = queue;
    try {
      const place = (running.place = await queue.enter(job.id, running.group, job.url));
      return {
        exchanger: place.beyond ? beyondLimit : exchanger,
        served: () => place.served(),
        refused: (answered) => place.refused(answered),
        leave() {
          place.leave();
          tidy();
        },
      };
    } catch (error) {
      tidy();
      throw error;
    }
  }

  async function run(job: RangeJob): Promise<RangeOutcome> {
    // What nobody waits for yet is one group, of which one file at a time is enough.
    const group = job.ahead === true ? '' : job.url;
    const running: Running = {
      url: job.url,
      cancellation: new Cancellation(),
      group,
      queue: undefined,
      place: undefined,
    };
    jobs.set(job.id, running);
    try {
      const slot = (request: MirrorRequest) => slotFor(job, running, request);
      const fetched = await fetchRange({ ...fetchDeps, slot }, job, running.cancellation);
      noteOutcome(fetched);
      return fetched.outcome;
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      return { kind: 'failed', code, message, transient: false };
    } finally {
      jobs.delete(job.id);
    }
  }

  function cancel(id: JobId): void {
    const job = jobs.get(id);
    job?.queue?.cancel(id);
    job?.cancellation.cancel();
  }

  /** What was good since is noted by `failing`. */
  function failsLately({ failing, last_error: last }: Figures): boolean {
    return failing && last !== null && isRecent(last.at, deps.date(), FAILING_MS);
  }

  return {
    behaviour: {
      fetch: run,
      cancel,
      wanted(id) {
        const job = jobs.get(id);
        if (job === undefined) return;
        job.group = job.url;
        job.queue?.regroup(id, job.group);
        job.place?.regroup(job.group);
      },
      stats: () => [...figures].map(([host, figure]) => ({ host, ...figure, failing: failsLately(figure) })),
    },
    async stop() {
      for (const id of jobs.keys()) cancel(id);
      await Promise.all([exchanger.close(), beyondLimit.close()]);
    },
  };
}

/**
 * The source that is always there: ranges of files from their mirrors, over a bounded number of kept connections to
 * each. It also answers what only a mirror knows, the size of a file that nobody has asked for yet.
 */
import { Cancellation } from '../../core/cancellation.ts';
import { asDebtorrentError, type ErrorCode } from '../../core/errors.ts';
import { mirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import type { JobId, RangeJob, RangeOutcome, SourceProtocol, SourceSinkProtocol } from '../source.ts';
import { createExchanger } from './exchange.ts';
import { fetchRange } from './fetch-range.ts';
import { MirrorQueue, MOST_BEYOND } from './mirror-queue.ts';
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

export interface HttpBackupDeps {
  readonly rules: HostRules;
  /** Connections to one mirror, 1 or more. */
  readonly connections: number;
  readonly timeouts: MirrorTimeouts;
  readonly userAgent: string;
  readonly sink: Pick<ActorRef<SourceSinkProtocol>, 'tell'>;
  readonly ca?: (() => string[]) | undefined;
  now(): number;
}

export interface HttpBackup {
  readonly behaviour: Behaviour<HttpBackupProtocol>;
  stop(): Promise<void>;
}

type Figures = { -readonly [K in Exclude<keyof MirrorStats, 'host'>]: MirrorStats[K] };

/** A mirror that is not asked any more does not fail for ever, but as long as people look why APT failed. */
const FAILING_MS = 120_000;

export function createHttpBackup(deps: HttpBackupDeps): HttpBackup {
  const exchanger = createExchanger(deps);
  /** For jobs beyond the limit; its connections are closed soon after. */
  const beyondLimit = createExchanger({ ...deps, connections: MOST_BEYOND });
  const queues = new Map<string, MirrorQueue>();
  const jobs = new Map<JobId, { cancellation: Cancellation; queue: MirrorQueue }>();
  const figures = new Map<string, Figures>();

  const figuresOf = (host: string) => {
    const name = rowFor(figures, host);
    let entry = figures.get(name);
    if (entry === undefined) figures.set(name, (entry = { bytes: 0, errors: 0, failing: false, last_error: null }));
    return entry;
  };

  const fetchDeps = {
    ...deps,
    exchanger,
    received: (host: string, bytes: number) => {
      const entry = figuresOf(host);
      entry.bytes += bytes;
      entry.failing = false;
    },
  };

  function noteOutcome(host: string, outcome: RangeOutcome): void {
    if (outcome.kind === 'failed' && outcome.code === 'CANCELLED') return;
    const entry = figuresOf(host);
    // a file that is not there says nothing against the mirror
    entry.failing = outcome.kind === 'failed' && outcome.transient;
    if (outcome.kind !== 'failed') return;
    entry.errors += 1;
    if (outcome.transient) entry.last_error = { code: outcome.code, at: deps.now() };
  }

  async function run(job: RangeJob): Promise<RangeOutcome> {
    const { origin, host } = mirrorRequest(job.url);
    let queue = queues.get(origin);
    if (queue === undefined) queues.set(origin, (queue = new MirrorQueue(deps.connections)));
    const cancellation = new Cancellation();
    jobs.set(job.id, { cancellation, queue });
    try {
      // What nobody waits for yet is one group, of which one file at a time is enough.
      const group = job.ahead === true ? '' : job.url;
      const outcome = await queue.run(job.id, group, (beyond) =>
        fetchRange(beyond ? { ...fetchDeps, exchanger: beyondLimit } : fetchDeps, job, cancellation),
      );
      noteOutcome(host, outcome);
      return outcome;
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      return { kind: 'failed', code, message, transient: code === 'OVERLOADED' };
    } finally {
      jobs.delete(job.id);
      if (queue.idle) queues.delete(origin);
    }
  }

  /** What was good since is noted by `failing`. Also after the clock was set back. */
  function failsLately({ failing, last_error: last }: Figures): boolean {
    return failing && last !== null && Math.abs(deps.now() - last.at) < FAILING_MS;
  }

  return {
    behaviour: {
      fetch: run,
      cancel(id) {
        const job = jobs.get(id);
        job?.queue.cancel(id);
        job?.cancellation.cancel();
      },
      stats: () => [...figures].map(([host, figure]) => ({ host, ...figure, failing: failsLately(figure) })),
    },
    async stop() {
      for (const { cancellation } of jobs.values()) cancellation.cancel();
      await Promise.all([exchanger.close(), beyondLimit.close()]);
    },
  };
}

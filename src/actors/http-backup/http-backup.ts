/**
 * The source that is always there: ranges of files from their mirrors, over a bounded number of kept connections to
 * each. It also answers what only a mirror knows, the size of a file that nobody has asked for yet.
 */
import { asDebtorrentError } from '../../core/errors.ts';
import { mirrorRequest } from '../../core/http/mirror-url.ts';
import type { HostRules } from '../../core/host-rules.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import type { JobId, RangeJob, RangeOutcome, SourceProtocol, SourceSinkProtocol } from '../source.ts';
import { createExchanger } from './exchange.ts';
import { fetchRange } from './fetch-range.ts';
import { MirrorQueue } from './mirror-queue.ts';
import type { MirrorTimeouts } from './timeouts.ts';

export interface MirrorStats {
  readonly host: string;
  readonly bytes: number;
  readonly errors: number;
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

/** Mirrors whose figures are kept; the rest are counted together under this name. */
const MAX_HOSTS = 256;
const OTHERS = 'other';

export function createHttpBackup(deps: HttpBackupDeps): HttpBackup {
  const exchanger = createExchanger(deps);
  const queues = new Map<string, MirrorQueue>();
  const jobs = new Map<JobId, { abort: AbortController; queue: MirrorQueue }>();
  const figures = new Map<string, { bytes: number; errors: number }>();

  const figuresOf = (host: string) => {
    const name = figures.has(host) || figures.size < MAX_HOSTS ? host : OTHERS;
    let entry = figures.get(name);
    if (entry === undefined) figures.set(name, (entry = { bytes: 0, errors: 0 }));
    return entry;
  };

  const fetchDeps = {
    ...deps,
    exchanger,
    received: (host: string, bytes: number) => {
      figuresOf(host).bytes += bytes;
    },
  };

  async function run(job: RangeJob): Promise<RangeOutcome> {
    const { origin, host } = mirrorRequest(job.url);
    let queue = queues.get(origin);
    if (queue === undefined) queues.set(origin, (queue = new MirrorQueue(deps.connections)));
    const abort = new AbortController();
    jobs.set(job.id, { abort, queue });
    try {
      const outcome = await queue.run(job.id, () => fetchRange(fetchDeps, job, abort.signal));
      if (outcome.kind === 'failed' && outcome.code !== 'CANCELLED') figuresOf(host).errors += 1;
      return outcome;
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      return { kind: 'failed', code, message, transient: code === 'OVERLOADED' };
    } finally {
      jobs.delete(job.id);
      if (queue.idle) queues.delete(origin);
    }
  }

  return {
    behaviour: {
      fetch: run,
      cancel(id) {
        const job = jobs.get(id);
        job?.queue.cancel(id);
        job?.abort.abort();
      },
      stats: () => [...figures].map(([host, figure]) => ({ host, ...figure })),
    },
    async stop() {
      for (const { abort } of jobs.values()) abort.abort();
      await exchanger.close();
    },
  };
}

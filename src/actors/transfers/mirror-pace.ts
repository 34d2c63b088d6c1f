/** What the mirror that is asked next brings one transfer, and what it might bring. */
import type { Candidates } from './candidates.ts';
import type { FetchingDeps } from './fetching-deps.ts';
import type { Jobs } from './jobs.ts';
import type { MirrorRate } from './mirror-health.ts';

/** What is under way tells of the mirror when it has brought so many bytes, and taken so many milliseconds. */
const TELLING_BYTES = 128 * 1024;
const TELLING_MS = 500;

export class MirrorPace {
  readonly #deps: Pick<FetchingDeps, 'connections' | 'mirrorRate'>;
  readonly #candidates: Pick<Candidates, 'current'>;
  readonly #jobs: Pick<Jobs, 'together'>;

  constructor(
    deps: Pick<FetchingDeps, 'connections' | 'mirrorRate'>,
    candidates: Pick<Candidates, 'current'>,
    jobs: Pick<Jobs, 'together'>,
  ) {
    this.#deps = deps;
    this.#candidates = candidates;
    this.#jobs = jobs;
  }

  /** Bytes a millisecond that a transfer got from it when that was measured last; undefined before. */
  get rate(): number | undefined {
    return this.#measured?.rate;
  }

  /**
   * Bytes a millisecond that it would bring over all connections if each brought as much as those that were measured, or
   * that are under way; undefined when neither says anything. There are mirrors that limit each of them, and others whose
   * line is full with one: it has to be tried.
   */
  get hoped(): number | undefined {
    const { rate, connections } = this.#measured ?? this.#going ?? {};
    if (rate === undefined || connections === undefined) return undefined;
    return rate * Math.max(1, this.#deps.connections / Math.max(connections, 1));
  }

  get #measured(): MirrorRate | undefined {
    const url = this.#candidates.current();
    return url === undefined ? undefined : this.#deps.mirrorRate(url);
  }

  get #going(): Omit<MirrorRate, 'at'> | undefined {
    const { bytes, ms, connections } = this.#jobs.together;
    return bytes >= TELLING_BYTES && ms >= TELLING_MS ? { rate: bytes / ms, connections } : undefined;
  }
}

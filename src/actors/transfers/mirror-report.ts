/**
 * Tells peers what this machine takes from the mirror: at once when other pieces are taken, otherwise now and then. The
 * state is read when it is told, so no more is made of it than is told.
 */
import type { Clock } from '../../core/clock.ts';
import type { ByteRange, RangeSet } from '../../core/range-set.ts';
import type { Ranges, WantId } from '../swarm/protocol.ts';
import type { PeersRef } from './peer-directory.ts';

/** What has come meanwhile is told at most this often, in milliseconds. */
const EVERY_MS = 100;

export interface MirrorReportDeps {
  readonly peers: PeersRef;
  readonly clock: Clock;
  /** Under way at mirrors. */
  fetching(): readonly ByteRange[];
  /** What came from mirrors and from nobody else. */
  have(): RangeSet;
}

export class MirrorReport {
  readonly #deps: MirrorReportDeps;
  readonly #want: WantId;
  #told = '[]';
  #timer: { clear(): void } | undefined;

  constructor(deps: MirrorReportDeps, want: WantId) {
    this.#deps = deps;
    this.#want = want;
  }

  /** Jobs may have begun or ended. */
  jobsChanged(): void {
    const fetching = pairs(this.#deps.fetching());
    const text = JSON.stringify(fetching);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell(fetching);
  }

  /** Bytes have come. */
  progressed(): void {
    this.#timer ??= this.#deps.clock.setTimeout(() => this.#tell(pairs(this.#deps.fetching())), EVERY_MS);
  }

  /**
   * The transfer is over. What came last of a file that is right is told before that: of a small one it is all, and
   * without it the file would pass for one that came from a peer, and be offered only when those who have left it to this
   * machine have given it up.
   */
  end(verified: boolean): void {
    if (verified && this.#timer !== undefined) this.#tell(pairs(this.#deps.fetching()));
    this.stop();
  }

  stop(): void {
    this.#timer?.clear();
  }

  #tell(fetching: Ranges): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#deps.peers.tell('mirrored', this.#want, fetching, this.#deps.have().toJSON());
  }
}

function pairs(ranges: readonly ByteRange[]): Ranges {
  return ranges.toSorted((a, b) => a.start - b.start).map(({ start, end }) => [start, end] as const);
}

/**
 * Peers that are known to be slow are not asked for a file that the mirror brings sooner: how slow they are shows in a
 * file only after a second, and a client that takes many small ones after each other would wait for each of them so
 * long. Large files come from both.
 */
import type { Clock } from '../../core/clock.ts';
import type { MirrorSide } from './mirror-side.ts';
import type { PeerSide } from './peer-side.ts';
import { leastPace } from './peer-pace.ts';
import { PEER_JOB_BYTES } from './source-plan.ts';

export interface OutpacedDeps {
  readonly clock: Clock;
  readonly mirror: Pick<MirrorSide, 'pace' | 'troubled' | 'exhausted'>;
  readonly peers: Pick<PeerSide, 'offered' | 'received' | 'jobs'>;
  /** Peers are asked after all. */
  ready(): void;
}

/** What peers bring within this time is theirs, in milliseconds: the mirror would not help them sooner either. */
export const SOON_MS = 500;
/** The mirror is waited for so many times as long as it should take, and for some moments more. */
const TIMES = 2;

export class Outpaced {
  readonly #deps: OutpacedDeps;
  #timer: { clear(): void } | undefined;
  #over = false;

  constructor(deps: OutpacedDeps) {
    this.#deps = deps;
  }

  /** A file of so many bytes is left to the mirror. */
  by(size: number): boolean {
    const { clock, mirror, peers, ready } = this.#deps;
    const { offered, received, jobs } = peers;
    const { pace } = offered;
    const { rate } = mirror.pace;
    if (this.#over || pace === undefined || rate === undefined || size > PEER_JOB_BYTES) return false;
    // Who fetches the same saves the mirror a copy; and one that fails helps nobody.
    if (!offered.alone || received + jobs.count > 0 || mirror.troubled || mirror.exhausted) return false;
    if (size / pace <= SOON_MS || pace >= leastPace(rate, 0)) return false;
    this.#timer ??= clock.setTimeout(
      () => {
        this.#over = true;
        ready();
      },
      SOON_MS + (TIMES * size) / rate,
    );
    return true;
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }
}

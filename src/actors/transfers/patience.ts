/**
 * What other machines take from the mirror for all is waited for, as long as the swarm is there to say so and something
 * comes: a transfer does not hang on a promise.
 */
import type { Clock } from '../../core/clock.ts';
import type { Content } from './content.ts';
import type { PeerSide } from './peer-side.ts';

export interface PatienceDeps {
  readonly clock: Clock;
  readonly content: Content;
  readonly peers: PeerSide;
  /** Others are not waited for any more. */
  ready(): void;
}

const LOOK_MS = 2_000;
/** Without a byte for this time the rest comes from the mirror, in milliseconds; APT gives up after 30 s. */
const LONGEST_MS = 16_000;

export class Patience {
  readonly #deps: PatienceDeps;
  #timer: { clear(): void } | undefined;
  #bytes = -1;
  #movedAt = 0;

  constructor(deps: PatienceDeps) {
    this.#deps = deps;
  }

  /** Others may have been left something to take. */
  watch(): void {
    if (this.#timer !== undefined || this.#deps.peers.offered.elsewhere.length === 0) return;
    // Leaving off to promise for a moment gains nobody time.
    this.#note();
    this.#wait();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #note(): void {
    const { bytes } = this.#deps.content.have;
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#movedAt = this.#deps.clock.now();
  }

  #wait(): void {
    const timer = this.#deps.clock.setTimeout(() => void this.#look(timer), LOOK_MS);
    this.#timer = timer;
  }

  async #look(timer: { clear(): void }): Promise<void> {
    const { clock, peers, ready } = this.#deps;
    const alive = await peers.alive();
    // Stopped meanwhile.
    if (this.#timer !== timer) return;
    this.#timer = undefined;
    if (peers.offered.elsewhere.length === 0) return;
    this.#note();
    if (!alive) peers.off();
    else if (clock.now() - this.#movedAt >= LONGEST_MS) peers.offered.forgetElsewhere();
    else {
      this.#wait();
      return;
    }
    ready();
  }
}

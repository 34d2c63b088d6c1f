/**
 * Small files that came whole from a peer while others wanted them too: they are getting them from the same peer, so an
 * offer is for those who still want them a moment later. Of the offers of small files that eight machines make which fetch
 * the same at once, six of seven are of this kind.
 */
import type { Clock } from '../../../core/clock.ts';
import type { SharedFile } from './shared-file.ts';

/** Milliseconds; several times what a small file takes, and what an unwant may wait. */
const LATER_MS = 150;

export class LaterOffers {
  readonly #clock: Clock;
  readonly #offer: (file: SharedFile) => void;
  /** Soonest due first. */
  readonly #waiting: { readonly file: SharedFile; readonly due: number }[] = [];
  #timer: { clear(): void } | undefined;

  constructor(clock: Clock, offer: (file: SharedFile) => void) {
    this.#clock = clock;
    this.#offer = offer;
  }

  add(file: SharedFile): void {
    this.#waiting.push({ file, due: this.#clock.now() + LATER_MS });
    this.#timer ??= this.#wait(LATER_MS);
  }

  stop(): void {
    this.#timer?.clear();
  }

  #wait(ms: number): { clear(): void } {
    return this.#clock.setTimeout(() => this.#work(), ms);
  }

  #work(): void {
    const now = this.#clock.now();
    const next = this.#waiting.findIndex(({ due }) => due > now);
    const ready = this.#waiting.splice(0, next < 0 ? this.#waiting.length : next);
    const [first] = this.#waiting;
    this.#timer = first === undefined ? undefined : this.#wait(first.due - now);
    for (const { file } of ready) this.#offer(file);
  }
}

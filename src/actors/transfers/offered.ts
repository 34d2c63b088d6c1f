/** What peers said last that they can do for one file, as far as that is believed. */
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { PeerView } from '../swarm/protocol.ts';
import { within, without } from './source-plan.ts';

export class Offered {
  #available: readonly ByteRange[] = [];
  #elsewhere: readonly ByteRange[] = [];
  /** Nothing is left to others any more. */
  #waitedInVain = false;
  #wanters = 0;
  #pace: number | undefined;
  /** What they did not give since they said that they have it. */
  readonly #barred = new RangeSet();

  /** What they have and may be asked for. */
  get available(): readonly ByteRange[] {
    return without(this.#available, this.#barred);
  }

  /** What other machines take from the mirror for all. */
  get elsewhere(): readonly ByteRange[] {
    return this.#elsewhere;
  }

  /** Machines that want the file too. */
  get wanters(): number {
    return this.#wanters;
  }

  /** No other machine wants the file at this moment. */
  get alone(): boolean {
    return this.#wanters + this.#elsewhere.length === 0;
  }

  /** Bytes a millisecond that those bring who have it, as far as that is known. */
  get pace(): number | undefined {
    return this.#pace;
  }

  /** Of a file of so many bytes. */
  take(view: PeerView, size: number): void {
    this.#available = within(view.available, size);
    this.#elsewhere = this.#waitedInVain ? [] : within(view.elsewhere, size);
    this.#wanters = view.wanters;
    this.#pace = view.pace;
    this.#barred.remove(0, Number.MAX_SAFE_INTEGER);
  }

  /** A range was asked for and did not come. */
  bar({ start, end }: ByteRange): void {
    this.#barred.add(start, end);
  }

  /** What others were to take from the mirror does not come: nothing of the file is left to them any more. */
  forgetElsewhere(): void {
    this.#waitedInVain = true;
    this.#elsewhere = [];
  }

  /** Nobody is there who could do anything. */
  clear(): void {
    this.#available = [];
    this.#elsewhere = [];
    this.#wanters = 0;
    this.#pace = undefined;
  }
}

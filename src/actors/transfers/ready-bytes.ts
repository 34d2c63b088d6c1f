/** How far an arriving file can be read, for readers that were given it: they look for themselves. */
import { ReadyMark } from '../../core/ready-mark.ts';
import type { Content } from './content.ts';

export class ReadyBytes {
  readonly #content: Content;
  /** What readers were given, in this epoch. */
  #mark: ReadyMark | undefined;

  constructor(content: Content) {
    this.#content = content;
  }

  /** To be given to a reader. */
  memory(): SharedArrayBuffer {
    const { memory } = (this.#mark ??= new ReadyMark());
    this.progressed();
    return memory;
  }

  /** Bytes have come, or can be read now. */
  progressed(): void {
    if (this.#mark === undefined) return;
    const end = this.#content.available(0);
    if (end === 0) return;
    this.#content.released.add(0, end);
    this.#mark.advance(end);
  }

  /** What was there is void, also for who has it: an epoch ends. */
  restarted(): void {
    this.#mark?.void();
    this.#mark = undefined;
  }
}

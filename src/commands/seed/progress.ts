/** How far it is, in one line of a terminal that is written over and over; nothing where there is no terminal. */
import { bytes } from '../../core/text.ts';

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Milliseconds between two looks. */
const EVERY_MS = 100;
const BAR = 24;

export class Progress {
  readonly #out: Terminal;
  readonly #total: { readonly files: number; readonly bytes: number };
  readonly #now: () => number;
  readonly #began: number;
  #files = 0;
  #bytes = 0;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(out: Terminal, total: { readonly files: number; readonly bytes: number }, now: () => number) {
    this.#out = out;
    this.#total = total;
    this.#now = now;
    this.#began = now();
  }

  /** One more file is done with, whatever became of it. */
  step(size: number): void {
    this.#files++;
    this.#bytes += size;
    const now = this.#now();
    if (this.#out.isTTY !== true || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#out.write(`\r${this.#line(now).slice(0, (this.#out.columns ?? 80) - 1)}\x1b[K`);
  }

  /** Leaves the line empty for what comes next. */
  end(): void {
    if (this.#out.isTTY === true) this.#out.write('\r\x1b[K');
  }

  #line(now: number): string {
    const { files, bytes: all } = this.#total;
    const share = all === 0 ? 1 : this.#bytes / all;
    const bar = '#'.repeat(Math.floor(share * BAR)).padEnd(BAR, '.');
    const seconds = (now - this.#began) / 1000;
    const left = share > 0 && seconds > 1 ? `, ${Math.ceil(seconds / share - seconds)} s left` : '';
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    return `[${bar}]${percent}  ${this.#files} of ${files} files, ${bytes(this.#bytes)} of ${bytes(all)}${left}`;
  }
}

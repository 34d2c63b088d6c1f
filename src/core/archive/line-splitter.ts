/**
 * Cuts a stream of chunks into lines without making a string or a buffer per line: a line is shown where it lies in
 * the chunk, and only one that crosses chunks is put together in a small buffer of its own.
 */
import { DebtorrentError } from '../errors.ts';

/** Sees the line `bytes[start, end)` without its line feed. `cut` when it was longer than what is kept. */
export type LineSink = (bytes: Uint8Array, start: number, end: number, cut: boolean) => void;

/** Bytes kept of a line that crosses chunks: more than any field that anybody here reads. */
export const KEPT_LINE_BYTES = 16 * 1024;
/** Bytes; a longer line makes the file no index. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;

const LINE_FEED = 0x0a;

export class LineSplitter {
  readonly #sink: LineSink;
  readonly #kept = Buffer.allocUnsafeSlow(KEPT_LINE_BYTES);
  #keptLength = 0;
  /** Bytes of the unfinished line, those not kept included. */
  #pending = 0;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** Throws INDEX_MALFORMED for NUL bytes and absurdly long lines. The chunk may be reused afterwards. */
  feed(chunk: Buffer): void {
    if (chunk.includes(0)) throw new DebtorrentError('INDEX_MALFORMED', 'the index has NUL bytes');
    let at = 0;
    if (this.#pending > 0) {
      const end = chunk.indexOf(LINE_FEED);
      this.#keep(chunk, 0, end < 0 ? chunk.length : end);
      if (end < 0) return;
      this.#flush();
      at = end + 1;
    }
    const length = chunk.length;
    while (at < length) {
      const end = chunk.indexOf(LINE_FEED, at);
      if (end < 0) break;
      this.#sink(chunk, at, end, false);
      at = end + 1;
    }
    if (at < length) this.#keep(chunk, at, length);
  }

  /** The last line may lack its line feed. */
  end(): void {
    if (this.#pending > 0) this.#flush();
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    this.#pending += end - start;
    if (this.#pending > MAX_LINE_BYTES) throw new DebtorrentError('INDEX_MALFORMED', 'the index has an endless line');
    this.#keptLength += chunk.copy(this.#kept, this.#keptLength, start, end);
  }

  #flush(): void {
    const cut = this.#pending > this.#keptLength;
    const length = this.#keptLength;
    this.#pending = 0;
    this.#keptLength = 0;
    this.#sink(this.#kept, 0, length, cut);
  }
}

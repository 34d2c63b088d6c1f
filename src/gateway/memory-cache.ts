/** Small files that were asked for lately, in memory: verified bytes that need neither a message nor a system call. */
import type { MirrorUrl } from '../core/ids.ts';
import type { WholeFile } from '../actors/transfers/protocol.ts';

export interface RememberedFile {
  readonly file: WholeFile;
  readonly bytes: Buffer;
  /** The hash was known in advance. */
  readonly signed: boolean;
  readonly askAgain: boolean;
  /** Headers of a whole answer, names and values in turn. */
  readonly headers: readonly string[];
  /** The catalogue's generation that the answer was made from. */
  readonly generation: number;
}

/** Files up to this size, in bytes, are remembered. */
export const MAX_REMEMBERED_BYTES = 128 * 1024;
const TOTAL_BYTES = 24 * 1024 * 1024;
/** What an entry costs besides its bytes. */
const OVERHEAD_BYTES = 512;

export class MemoryCache {
  readonly #entries = new Map<MirrorUrl, RememberedFile>();
  #bytes = 0;

  /** The file that the URL stands for, unless the catalogue or its freshness says to look again. */
  get(url: MirrorUrl, generation: number, date: number): RememberedFile | undefined {
    const entry = this.#entries.get(url);
    if (entry === undefined) return undefined;
    if (entry.generation !== generation || entry.file.freshUntil <= date) {
      this.delete(url);
      return undefined;
    }
    return entry;
  }

  put(url: MirrorUrl, entry: RememberedFile): void {
    this.delete(url);
    this.#entries.set(url, entry);
    this.#bytes += entry.bytes.length + OVERHEAD_BYTES;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= TOTAL_BYTES) break;
      this.delete(oldest);
    }
  }

  delete(url: MirrorUrl): void {
    const entry = this.#entries.get(url);
    if (entry === undefined) return;
    this.#entries.delete(url);
    this.#bytes -= entry.bytes.length + OVERHEAD_BYTES;
  }
}

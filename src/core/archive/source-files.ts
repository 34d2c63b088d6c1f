/**
 * The files of one source package while its stanza is being read: their lines in Checksums-Sha256 may come before
 * the Directory that they are in. One set of growing arrays serves all stanzas.
 */
import { MAX_PATH_BYTES, normalisePath } from './clean-path.ts';
import { parseHex32, parseSize, skipBlanks, trimEnd, wordEnd } from './deb822-bytes.ts';

/** The path is `bytes[start, end)`, clean and relative; the SHA-256 is 32 bytes. Both only until the call returns. */
export type EntrySink = (bytes: Uint8Array, start: number, end: number, size: number, sha256: Uint8Array) => void;

/** Per stanza; the largest in Debian have some hundreds. */
const MAX_FILES = 10_000;
const SLASH = 0x2f;

export class SourceFiles {
  #begun = false;
  #count = 0;
  #namesLength = 0;
  #names = new Uint8Array(8192);
  #nameEnds = new Uint32Array(64);
  #sizes = new Float64Array(64);
  #shas = new Uint8Array(64 * 32);
  readonly #path = new Uint8Array(2 * MAX_PATH_BYTES);
  readonly #sha = new Uint8Array(32);

  clear(): void {
    this.#begun = false;
    this.#count = 0;
    this.#namesLength = 0;
  }

  /** The field begins; false when it is there twice. */
  begin(): boolean {
    const first = !this.#begun;
    this.#begun = true;
    return first;
  }

  /** A line ` SHA256 SIZE NAME`; false when it is not one, or one too many. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const shaStart = skipBlanks(bytes, start, end);
    const shaEnd = wordEnd(bytes, shaStart, end);
    const sizeStart = skipBlanks(bytes, shaEnd, end);
    const sizeEnd = wordEnd(bytes, sizeStart, end);
    const nameStart = skipBlanks(bytes, sizeEnd, end);
    const nameEnd = trimEnd(bytes, nameStart, end);
    const size = parseSize(bytes, sizeStart, sizeEnd);
    if (size < 0 || this.#count >= MAX_FILES || !isFileName(bytes, nameStart, nameEnd)) return false;
    this.#makeRoom(nameEnd - nameStart);
    if (!parseHex32(bytes, shaStart, shaEnd, this.#shas, this.#count * 32)) return false;
    for (let at = nameStart; at < nameEnd; at++) this.#names[this.#namesLength++] = bytes[at] as number;
    this.#sizes[this.#count] = size;
    this.#nameEnds[this.#count] = this.#namesLength;
    this.#count++;
    return true;
  }

  /** Calls back for each file in `directory[0, length)`; with no directory they lie where paths are relative to. */
  emit(directory: Uint8Array, length: number, sink: EntrySink): { emitted: number; skipped: number } {
    let emitted = 0;
    const at = length === 0 ? 0 : length + 1;
    for (let file = 0; file < this.#count; file++) {
      const from = file === 0 ? 0 : (this.#nameEnds[file - 1] as number);
      const to = this.#nameEnds[file] as number;
      this.#path.set(directory.subarray(0, length));
      if (length > 0) this.#path[length] = SLASH;
      this.#path.set(this.#names.subarray(from, to), at);
      const end = normalisePath(this.#path, 0, at + to - from);
      if (end < 0) continue;
      emitted++;
      this.#sha.set(this.#shas.subarray(file * 32, file * 32 + 32));
      sink(this.#path, 0, end, this.#sizes[file] as number, this.#sha);
    }
    return { emitted, skipped: this.#count - emitted };
  }

  #makeRoom(nameBytes: number): void {
    if (this.#namesLength + nameBytes > this.#names.length) {
      const names = new Uint8Array(Math.max(this.#names.length * 2, this.#namesLength + nameBytes));
      names.set(this.#names.subarray(0, this.#namesLength));
      this.#names = names;
    }
    if (this.#count < this.#sizes.length) return;
    const double = this.#sizes.length * 2;
    const sizes = new Float64Array(double);
    sizes.set(this.#sizes);
    const nameEnds = new Uint32Array(double);
    nameEnds.set(this.#nameEnds);
    const shas = new Uint8Array(double * 32);
    shas.set(this.#shas);
    [this.#sizes, this.#nameEnds, this.#shas] = [sizes, nameEnds, shas];
  }
}

/** One segment of a path, of at most 255 bytes as file systems have it. */
function isFileName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || end - start > 255) return false;
  for (let at = start; at < end; at++) if (bytes[at] === SLASH) return false;
  return true;
}

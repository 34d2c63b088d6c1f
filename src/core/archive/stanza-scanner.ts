/**
 * Reads Packages and Sources as a stream of bytes (deb822, Debian policy 5.1) and calls back for each file with its
 * path, size and SHA-256, and nothing else: no string per line, no object per stanza. An entry that cannot be right is
 * left out and counted, never the whole index lost; a file in which nothing can be read is no index.
 */
import { DebtorrentError } from '../errors.ts';
import { MAX_PATH_BYTES, normalisePath } from './clean-path.ts';
import { fieldLength, nameMatches, parseHex32, parseSize, skipBlanks, trimEnd } from './deb822-bytes.ts';
import { LineSplitter } from './line-splitter.ts';
import { SourceFiles, type EntrySink } from './source-files.ts';

export interface ScanResult {
  readonly stanzas: number;
  readonly entries: number;
  /** Stanzas and files that were left out. */
  readonly skipped: number;
}

/** Bytes; more without an empty line make the file no index. */
export const MAX_STANZA_BYTES = 16 * 1024 * 1024;
export const MAX_STANZAS = 5_000_000;

const FILENAME = Buffer.from('filename');
const SIZE = Buffer.from('size');
const SHA256 = Buffer.from('sha256');
const DIRECTORY = Buffer.from('directory');
const CHECKSUMS = Buffer.from('checksums-sha256');

const SPACE = 0x20;
const TAB = 0x09;
const RETURN = 0x0d;
const HASH = 0x23;

/** Which field the present line belongs to, as far as that matters. */
type Field = 'none' | 'ours' | 'checksums';

export class StanzaScanner {
  readonly #lines = new LineSplitter((bytes, start, end, cut) => this.#line(bytes, start, end, cut));
  readonly #sink: EntrySink;
  readonly #sources: SourceFiles | undefined;
  readonly #path = new Uint8Array(MAX_PATH_BYTES);
  readonly #sha = new Uint8Array(32);
  #pathLength = 0;
  #size = -1;
  #hasSha = false;
  #seenPath = false;
  #field: Field = 'none';
  #stanzaBytes = 0;
  #bad = false;
  #stanzas = 0;
  #entries = 0;
  #skipped = 0;

  constructor(kind: 'packages' | 'sources', sink: EntrySink) {
    this.#sink = sink;
    this.#sources = kind === 'sources' ? new SourceFiles() : undefined;
  }

  /** Throws INDEX_MALFORMED as soon as the file can be no index. The chunk may be reused afterwards. */
  feed(chunk: Buffer): void {
    this.#lines.feed(chunk);
  }

  /** Throws INDEX_MALFORMED if there was something and none of it could be read. An empty index is an index. */
  end(): ScanResult {
    this.#lines.end();
    this.#endStanza();
    if (this.#entries === 0 && this.#skipped > 0) {
      throw new DebtorrentError('INDEX_MALFORMED', `none of the ${this.#stanzas} stanzas of the index can be read`);
    }
    return { stanzas: this.#stanzas, entries: this.#entries, skipped: this.#skipped };
  }

  #line(bytes: Uint8Array, start: number, lineEnd: number, cut: boolean): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === RETURN ? lineEnd - 1 : lineEnd;
    if (start === end) {
      this.#endStanza();
      return;
    }
    this.#stanzaBytes += end - start + 1;
    if (this.#stanzaBytes > MAX_STANZA_BYTES) throw new DebtorrentError('INDEX_MALFORMED', 'a stanza without an end');
    const first = bytes[start] as number;
    if (first === SPACE || first === TAB) this.#continuation(bytes, start, end, cut);
    else if (first !== HASH) this.#header(bytes, start, end, cut);
  }

  #continuation(bytes: Uint8Array, start: number, end: number, cut: boolean): void {
    if (this.#field === 'none') return;
    // none of the fields of one line goes on in the next
    if (this.#field === 'ours' || cut) this.#bad = true;
    else if (!this.#sources?.add(bytes, start, end)) this.#skipped++;
  }

  #header(bytes: Uint8Array, start: number, end: number, cut: boolean): void {
    const length = fieldLength(bytes, start, end);
    this.#field = 'none';
    if (length === 0) {
      this.#bad = true;
      return;
    }
    // all that follows is for five fields that begin with four letters
    const letter = (bytes[start] as number) | 0x20;
    if (letter !== 0x66 && letter !== 0x73 && letter !== 0x64 && letter !== 0x63) return;
    const valueStart = skipBlanks(bytes, start + length + 1, end);
    const valueEnd = trimEnd(bytes, valueStart, end);
    if (this.#sources) {
      if (nameMatches(bytes, start, length, DIRECTORY)) this.#takePath(bytes, valueStart, valueEnd, cut);
      else if (nameMatches(bytes, start, length, CHECKSUMS)) {
        this.#field = 'checksums';
        if (cut || valueStart < valueEnd || !this.#sources.begin()) this.#bad = true;
      }
    } else if (nameMatches(bytes, start, length, FILENAME)) this.#takePath(bytes, valueStart, valueEnd, cut);
    else if (nameMatches(bytes, start, length, SIZE)) this.#takeSize(bytes, valueStart, valueEnd);
    else if (nameMatches(bytes, start, length, SHA256)) this.#takeSha(bytes, valueStart, valueEnd);
  }

  #takePath(bytes: Uint8Array, start: number, end: number, cut: boolean): void {
    this.#field = 'ours';
    if (this.#seenPath || cut || end - start > MAX_PATH_BYTES) this.#bad = true;
    else {
      for (let at = start; at < end; at++) this.#path[at - start] = bytes[at] as number;
      this.#pathLength = end - start;
    }
    this.#seenPath = true;
  }

  #takeSize(bytes: Uint8Array, start: number, end: number): void {
    this.#field = 'ours';
    const size = parseSize(bytes, start, end);
    if (size < 0 || this.#size >= 0) this.#bad = true;
    this.#size = size;
  }

  #takeSha(bytes: Uint8Array, start: number, end: number): void {
    this.#field = 'ours';
    if (this.#hasSha || !parseHex32(bytes, start, end, this.#sha, 0)) this.#bad = true;
    this.#hasSha = true;
  }

  #endStanza(): void {
    if (this.#stanzaBytes === 0) return;
    if (++this.#stanzas > MAX_STANZAS) throw new DebtorrentError('INDEX_TOO_LARGE', `over ${MAX_STANZAS} stanzas`);
    if (this.#sources) this.#emitSources(this.#sources);
    else this.#emitPackage();
    this.#sources?.clear();
    this.#stanzaBytes = 0;
    this.#pathLength = 0;
    this.#size = -1;
    this.#seenPath = this.#hasSha = this.#bad = false;
    this.#field = 'none';
  }

  #emitPackage(): void {
    const end = this.#bad || this.#size < 0 || !this.#hasSha ? -1 : normalisePath(this.#path, 0, this.#pathLength);
    if (end < 0) {
      this.#skipped++;
      return;
    }
    this.#entries++;
    this.#sink(this.#path, 0, end, this.#size, this.#sha);
  }

  #emitSources(files: SourceFiles): void {
    if (this.#bad) {
      this.#skipped++;
      return;
    }
    // apt-ftparchive writes no Directory where it would be empty, and APT takes it so
    const { emitted, skipped } = files.emit(this.#path, this.#pathLength, this.#sink);
    this.#entries += emitted;
    // a source without files is as much as a stanza that cannot be read
    this.#skipped += emitted + skipped === 0 ? 1 : skipped;
  }
}

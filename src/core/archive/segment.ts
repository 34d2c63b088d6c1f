/**
 * Reader of segments (the format is in segment-layout.ts). A look-up touches a few cache lines and allocates only its
 * answer, so that the gateway's thread can ask for each request.
 */
import { crc32 } from 'node:zlib';
import type { Sha256 } from '../ids.ts';
import { HEADER_BYTES, MAGIC, MAX_ENTRIES, MAX_NAMES_BYTES, MAX_PROBES, ORDER_MARK } from './segment-layout.ts';
import { hashAscii, hashPath, hashSha, layoutOf } from './segment-layout.ts';

export interface SegmentHit {
  readonly sha256: Sha256;
  /** Bytes. */
  readonly size: number;
}

export interface SegmentEntry extends SegmentHit {
  readonly path: string;
}

export class Segment {
  readonly count: number;
  /** Sum of the sizes of all entries. */
  readonly totalBytes: number;
  readonly #shas: Buffer;
  readonly #names: Buffer;
  readonly #sizes: Float64Array;
  readonly #nameEnds: Uint32Array;
  readonly #pathTable: Uint32Array;
  readonly #shaTable: Uint32Array;

  private constructor(buffer: Buffer, header: Header) {
    const { count, pathSlots, shaSlots, nameBytes } = header;
    const layout = layoutOf(count, pathSlots, shaSlots, nameBytes);
    const { buffer: memory, byteOffset } = buffer;
    this.count = count;
    this.totalBytes = header.totalBytes;
    this.#sizes = new Float64Array(memory, byteOffset + layout.sizes, count);
    this.#shas = buffer.subarray(layout.shas, layout.nameEnds);
    this.#nameEnds = new Uint32Array(memory, byteOffset + layout.nameEnds, count);
    this.#pathTable = new Uint32Array(memory, byteOffset + layout.pathTable, pathSlots);
    this.#shaTable = new Uint32Array(memory, byteOffset + layout.shaTable, shaSlots);
    this.#names = buffer.subarray(layout.names, layout.names + nameBytes);
  }

  /** Undefined for anything but a whole segment of this version, made on a machine like this one. */
  static open(file: Buffer): Segment | undefined {
    // typed arrays want their sections on multiples of 8
    const buffer = file.byteOffset % 8 === 0 ? file : copyOf(file);
    const header = readHeader(buffer);
    if (!header) return undefined;
    const segment = new Segment(buffer, header);
    return segment.#consistent() ? segment : undefined;
  }

  lookup(path: string): SegmentHit | undefined {
    const hash = hashAscii(path);
    const bytes = hash < 0 ? Buffer.from(path, 'utf8') : undefined;
    const mask = this.#pathTable.length - 1;
    let slot = (bytes ? hashPath(bytes, 0, bytes.length) : hash) & mask;
    for (let probe = 0; probe <= MAX_PROBES; probe++, slot = (slot + 1) & mask) {
      const entry = (this.#pathTable[slot] as number) - 1;
      if (entry < 0) return undefined;
      if (bytes ? this.#nameIs(entry, bytes) : this.#nameIsAscii(entry, path)) return this.#hit(entry);
    }
    return undefined;
  }

  /** The first entry that has this content. */
  lookupSha(sha256: Sha256): SegmentEntry | undefined {
    const wanted = Buffer.from(sha256, 'hex');
    if (wanted.length !== 32) return undefined;
    const mask = this.#shaTable.length - 1;
    let slot = hashSha(wanted, 0) & mask;
    for (let probe = 0; probe <= MAX_PROBES; probe++, slot = (slot + 1) & mask) {
      const entry = (this.#shaTable[slot] as number) - 1;
      if (entry < 0) return undefined;
      if (wanted.compare(this.#shas, entry * 32, entry * 32 + 32) === 0) return this.#entry(entry);
    }
    return undefined;
  }

  *entries(): IterableIterator<SegmentEntry> {
    for (let entry = 0; entry < this.count; entry++) yield this.#entry(entry);
  }

  #hit(entry: number): SegmentHit {
    const sha256 = this.#shas.toString('hex', entry * 32, entry * 32 + 32) as Sha256;
    return { sha256, size: this.#sizes[entry] as number };
  }

  #entry(entry: number): SegmentEntry {
    const path = this.#names.toString('utf8', this.#nameStart(entry), this.#nameEnds[entry]);
    return { path, ...this.#hit(entry) };
  }

  #nameStart(entry: number): number {
    return entry === 0 ? 0 : (this.#nameEnds[entry - 1] as number);
  }

  #nameIsAscii(entry: number, path: string): boolean {
    const start = this.#nameStart(entry);
    if ((this.#nameEnds[entry] as number) - start !== path.length) return false;
    const names = this.#names;
    // from the end, where names of one directory differ
    for (let at = path.length - 1; at >= 0; at--) if (names[start + at] !== path.charCodeAt(at)) return false;
    return true;
  }

  #nameIs(entry: number, bytes: Buffer): boolean {
    return bytes.compare(this.#names, this.#nameStart(entry), this.#nameEnds[entry]) === 0;
  }

  /**
   * No number in the tables leads out of them, whatever the checksum says. Plain loops: iterators over typed arrays
   * cost several times as much before they are compiled, and this runs once per file on the gateway's thread.
   */
  #consistent(): boolean {
    const { count } = this;
    let before = 0;
    for (let entry = 0; entry < count; entry++) {
      const end = this.#nameEnds[entry] as number;
      const size = this.#sizes[entry] as number;
      if (end < before || !(size >= 0 && size <= Number.MAX_SAFE_INTEGER)) return false;
      before = end;
    }
    return before === this.#names.length && inRange(this.#pathTable, count) && inRange(this.#shaTable, count);
  }
}

function inRange(table: Uint32Array, highest: number): boolean {
  let most = 0;
  for (let slot = 0; slot < table.length; slot++) most = Math.max(most, table[slot] as number);
  return most <= highest;
}

interface Header {
  readonly count: number;
  readonly pathSlots: number;
  readonly shaSlots: number;
  readonly nameBytes: number;
  readonly totalBytes: number;
}

function readHeader(buffer: Buffer): Header | undefined {
  if (buffer.length < HEADER_BYTES || !buffer.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, HEADER_BYTES / 4);
  const [order, crc, count, pathSlots, shaSlots, nameBytes] = words.subarray(2, 8) as unknown as number[];
  if (order !== ORDER_MARK || count === undefined || count > MAX_ENTRIES) return undefined;
  if (!isTable(pathSlots, count) || !isTable(shaSlots, count)) return undefined;
  if (nameBytes === undefined || nameBytes > MAX_NAMES_BYTES) return undefined;
  if (layoutOf(count, pathSlots, shaSlots, nameBytes).total !== buffer.length) return undefined;
  if (crc32(buffer.subarray(16)) !== crc) return undefined;
  const totalBytes = new Float64Array(buffer.buffer, buffer.byteOffset + 32, 1)[0] as number;
  return Number.isFinite(totalBytes) ? { count, pathSlots, shaSlots, nameBytes, totalBytes } : undefined;
}

function isTable(slots: number | undefined, entries: number): slots is number {
  return slots !== undefined && slots > entries && slots <= 4 * MAX_ENTRIES && (slots & (slots - 1)) === 0;
}

function copyOf(file: Buffer): Buffer {
  const copy = Buffer.from(new ArrayBuffer(file.length));
  file.copy(copy);
  return copy;
}

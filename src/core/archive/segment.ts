/**
 * Reader of segments (the format is in segment-layout.ts). A look-up touches a few cache lines and allocates only its
 * answer, so that the gateway's thread can ask for each request. The bytes are in memory that threads share: the one
 * that has read or made a segment checks it, the others take it as it is.
 */
import { crc32 } from 'node:zlib';
import type { Sha256 } from '../ids.ts';
import { CHECKED_FROM, HEADER_BYTES, MAGIC, MAX_ENTRIES, MAX_NAMES_BYTES, MAX_PROBES } from './segment-layout.ts';
import { ORDER_MARK, hashAscii, hashPath, hashSha, layoutOf } from './segment-layout.ts';

export interface SegmentHit {
  readonly sha256: Sha256;
  /** Bytes. */
  readonly size: number;
}

export interface SegmentEntry extends SegmentHit {
  readonly path: string;
}

/** A resizable one (ES2024) is mapped, not allocated: its pages come with the first byte that is written to them. */
const UntouchedBuffer = ArrayBuffer as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

export class Segment {
  readonly count: number;
  /** Sum of the sizes of all entries. */
  readonly totalBytes: number;
  /** All of it, as in a file; nobody writes there any more. */
  readonly memory: SharedArrayBuffer;
  /**
   * As many bytes that nobody touches, so that they take no memory. V8 counts these, but not what threads share: without
   * them no thread looked for garbage in all of its heap, and the segments of hundreds of updates stayed in memory.
   */
  readonly weight: ArrayBuffer;
  readonly #shas: Buffer;
  readonly #names: Buffer;
  readonly #sizes: Float64Array;
  readonly #nameEnds: Uint32Array;
  readonly #pathTable: Uint32Array;
  readonly #shaTable: Uint32Array;

  private constructor(memory: SharedArrayBuffer, header: Header) {
    const { count, pathSlots, shaSlots, nameBytes } = header;
    const layout = layoutOf(count, pathSlots, shaSlots, nameBytes);
    const buffer = Buffer.from(memory);
    this.memory = memory;
    this.weight = new UntouchedBuffer(memory.byteLength, { maxByteLength: memory.byteLength });
    this.count = count;
    this.totalBytes = header.totalBytes;
    this.#sizes = new Float64Array(memory, layout.sizes, count);
    this.#shas = buffer.subarray(layout.shas, layout.nameEnds);
    this.#nameEnds = new Uint32Array(memory, layout.nameEnds, count);
    this.#pathTable = new Uint32Array(memory, layout.pathTable, pathSlots);
    this.#shaTable = new Uint32Array(memory, layout.shaTable, shaSlots);
    this.#names = buffer.subarray(layout.names, layout.names + nameBytes);
  }

  /** Undefined for anything but a whole segment of this version, made on a machine like this one. */
  static open(memory: SharedArrayBuffer): Segment | undefined {
    const header = readHeader(memory);
    if (!header || crc32(Buffer.from(memory, CHECKED_FROM)) !== header.crc) return undefined;
    const segment = new Segment(memory, header);
    return segment.#consistent() ? segment : undefined;
  }

  /** The same for what another thread has opened: nothing is read but the header. */
  static opened(memory: SharedArrayBuffer): Segment | undefined {
    const header = readHeader(memory);
    return header && new Segment(memory, header);
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
   * cost several times as much before they are compiled, and a start waits for this.
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
  readonly crc: number;
  readonly count: number;
  readonly pathSlots: number;
  readonly shaSlots: number;
  readonly nameBytes: number;
  readonly totalBytes: number;
}

function readHeader(memory: SharedArrayBuffer): Header | undefined {
  if (memory.byteLength < HEADER_BYTES || !Buffer.from(memory, 0, MAGIC.length).equals(MAGIC)) return undefined;
  const words = new Uint32Array(memory, 0, HEADER_BYTES / 4);
  const [order, crc, count, pathSlots, shaSlots, nameBytes] = words.subarray(2, 8) as unknown as number[];
  if (order !== ORDER_MARK || crc === undefined || count === undefined || count > MAX_ENTRIES) return undefined;
  if (!isTable(pathSlots, count) || !isTable(shaSlots, count)) return undefined;
  if (nameBytes === undefined || nameBytes > MAX_NAMES_BYTES) return undefined;
  if (layoutOf(count, pathSlots, shaSlots, nameBytes).total !== memory.byteLength) return undefined;
  const totalBytes = new Float64Array(memory, 32, 1)[0] as number;
  return Number.isFinite(totalBytes) ? { crc, count, pathSlots, shaSlots, nameBytes, totalBytes } : undefined;
}

function isTable(slots: number | undefined, entries: number): slots is number {
  return slots !== undefined && slots > entries && slots <= 4 * MAX_ENTRIES && (slots & (slots - 1)) === 0;
}

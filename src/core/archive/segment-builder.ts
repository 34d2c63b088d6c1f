/**
 * Makes segments (the format is in segment-layout.ts) from a stream of entries: typed arrays that double, no object
 * per entry, and at the end one piece of memory of the exact length.
 */
import { crc32 } from 'node:zlib';
import { DebtorrentError } from '../errors.ts';
import { CHECKED_FROM, HEADER_BYTES, MAGIC, MAX_ENTRIES, MAX_NAMES_BYTES, MAX_PROBES } from './segment-layout.ts';
import { ORDER_MARK, hashPath, hashSha, layoutOf, slotsFor } from './segment-layout.ts';
import { Segment } from './segment.ts';

/**
 * - `added`.
 * - `same`: that path with that content is there already.
 * - `conflict`: the path is there with other content. Neither can be told to be the right one: from now on the path is
 *   not found, and what was there first only by its SHA-256.
 * - `crowded`: too many names collide; the entry is left out.
 * - `full`: no more entries or bytes of names are allowed.
 */
export type AddResult = 'added' | 'same' | 'conflict' | 'crowded' | 'full';

export class SegmentBuilder {
  #count = 0;
  #totalBytes = 0;
  #nameBytes = 0;
  #capacity: number;
  #sizes: Float64Array;
  #shas: Uint8Array;
  #nameEnds: Uint32Array;
  #hashes: Uint32Array;
  #names: Uint8Array;
  #pathTable: Uint32Array;
  /** Entries whose paths were added with other content, too. */
  readonly #ambiguous = new Set<number>();

  /** `expected` entries are room for a start, no limit. */
  constructor(expected = 1024) {
    this.#capacity = Math.min(Math.max(64, Math.ceil(expected)), MAX_ENTRIES);
    this.#sizes = new Float64Array(this.#capacity);
    this.#shas = new Uint8Array(this.#capacity * 32);
    this.#nameEnds = new Uint32Array(this.#capacity);
    this.#hashes = new Uint32Array(this.#capacity);
    this.#names = new Uint8Array(this.#capacity * 64);
    this.#pathTable = new Uint32Array(slotsFor(this.#capacity));
  }

  get count(): number {
    return this.#count;
  }

  /** The path is `names[start, end)`, the SHA-256 32 bytes of `sha` from `shaAt` on. Both are copied. */
  add(names: Uint8Array, start: number, end: number, size: number, sha: Uint8Array, shaAt = 0): AddResult {
    const length = end - start;
    if (this.#count >= MAX_ENTRIES || this.#nameBytes + length > MAX_NAMES_BYTES) return 'full';
    if (this.#count === this.#capacity) this.#grow();
    this.#putName(names, start, end);
    const hash = hashPath(this.#names, this.#nameBytes, this.#nameBytes + length);
    const mask = this.#pathTable.length - 1;
    let slot = hash & mask;
    let probes = 0;
    for (let taken; (taken = this.#pathTable[slot] as number) !== 0; slot = (slot + 1) & mask) {
      if (this.#hashes[taken - 1] === hash && this.#nameIs(taken - 1, names, start, length)) {
        if (this.#contentIs(taken - 1, size, sha, shaAt)) return 'same';
        this.#ambiguous.add(taken - 1);
        return 'conflict';
      }
      if (++probes >= MAX_PROBES) return 'crowded';
    }
    const entry = this.#count++;
    this.#pathTable[slot] = entry + 1;
    this.#hashes[entry] = hash;
    this.#sizes[entry] = size;
    this.#totalBytes += size;
    for (let at = 0, to = entry * 32; at < 32; at++, to++) this.#shas[to] = sha[shaAt + at] as number;
    this.#nameBytes += length;
    this.#nameEnds[entry] = this.#nameBytes;
    return 'added';
  }

  /** The finished segment. The builder must not be used after it. */
  finish(): Segment {
    const count = this.#count;
    const pathTable = this.#finalTable();
    const shaTable = new Uint32Array(slotsFor(count + 1));
    for (let entry = 0; entry < count; entry++) this.#insertSha(shaTable, entry);
    const layout = layoutOf(count, pathTable.length, shaTable.length, this.#nameBytes);
    const memory = new SharedArrayBuffer(layout.total);
    const file = Buffer.from(memory);
    file.set(MAGIC, 0);
    const words = new Uint32Array(memory, 0, HEADER_BYTES / 4);
    words.set([ORDER_MARK, 0, count, pathTable.length, shaTable.length, this.#nameBytes], 2);
    new Float64Array(memory, 32, 1)[0] = this.#totalBytes;
    new Float64Array(memory, layout.sizes, count).set(this.#sizes.subarray(0, count));
    file.set(this.#shas.subarray(0, count * 32), layout.shas);
    new Uint32Array(memory, layout.nameEnds, count).set(this.#nameEnds.subarray(0, count));
    new Uint32Array(memory, layout.pathTable, pathTable.length).set(pathTable);
    new Uint32Array(memory, layout.shaTable, shaTable.length).set(shaTable);
    file.set(this.#names.subarray(0, this.#nameBytes), layout.names);
    words[3] = crc32(file.subarray(CHECKED_FROM));
    const segment = Segment.open(memory);
    if (!segment) throw new DebtorrentError('INTERNAL', 'a segment cannot be read back');
    return segment;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#capacity * 2, MAX_ENTRIES);
    const copy = <A extends { set(from: A): void }>(to: A, from: A): A => (to.set(from), to);
    this.#sizes = copy(new Float64Array(this.#capacity), this.#sizes);
    this.#shas = copy(new Uint8Array(this.#capacity * 32), this.#shas);
    this.#nameEnds = copy(new Uint32Array(this.#capacity), this.#nameEnds);
    this.#hashes = copy(new Uint32Array(this.#capacity), this.#hashes);
    this.#pathTable = this.#tableOf(slotsFor(this.#capacity));
  }

  #tableOf(slots: number, without?: ReadonlySet<number>): Uint32Array {
    const table = new Uint32Array(slots);
    for (let entry = 0; entry < this.#count; entry++) {
      if (without?.has(entry) === true) continue;
      let slot = (this.#hashes[entry] as number) & (slots - 1);
      let probes = 0;
      while (table[slot] !== 0 && ++probes < MAX_PROBES) slot = (slot + 1) & (slots - 1);
      // no reader would look further
      if (table[slot] === 0) table[slot] = entry + 1;
    }
    return table;
  }

  /** The path table for the file: the present one unless a smaller one does, or not all paths may be in it. */
  #finalTable(): Uint32Array {
    const slots = Math.min(slotsFor(this.#count + 1), this.#pathTable.length);
    const isFinal = slots === this.#pathTable.length && this.#ambiguous.size === 0;
    return isFinal ? this.#pathTable : this.#tableOf(slots, this.#ambiguous);
  }

  #insertSha(table: Uint32Array, entry: number): void {
    const mask = table.length - 1;
    let slot = hashSha(this.#shas, entry * 32) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++, slot = (slot + 1) & mask) {
      const taken = table[slot] as number;
      if (taken === 0) {
        table[slot] = entry + 1;
        return;
      }
      if (this.#shaIs(taken - 1, this.#shas, entry * 32)) return;
    }
  }

  /** Behind the last name; it counts once nameBytes says so. */
  #putName(names: Uint8Array, start: number, end: number): void {
    const needed = this.#nameBytes + end - start;
    if (needed > this.#names.length) {
      const bigger = new Uint8Array(Math.max(needed, this.#names.length * 2));
      bigger.set(this.#names.subarray(0, this.#nameBytes));
      this.#names = bigger;
    }
    const own = this.#names;
    for (let at = start, to = this.#nameBytes; at < end; at++, to++) own[to] = names[at] as number;
  }

  #nameIs(entry: number, names: Uint8Array, start: number, length: number): boolean {
    const from = entry === 0 ? 0 : (this.#nameEnds[entry - 1] as number);
    if ((this.#nameEnds[entry] as number) - from !== length) return false;
    for (let at = 0; at < length; at++) if (this.#names[from + at] !== names[start + at]) return false;
    return true;
  }

  #contentIs(entry: number, size: number, sha: Uint8Array, shaAt: number): boolean {
    return this.#sizes[entry] === size && this.#shaIs(entry, sha, shaAt);
  }

  #shaIs(entry: number, sha: Uint8Array, shaAt: number): boolean {
    for (let at = 0; at < 32; at++) if (this.#shas[entry * 32 + at] !== sha[shaAt + at]) return false;
    return true;
  }
}

/**
 * One bit for each piece, in the order of BEP 3: the high bit of the first byte is piece 0, spare bits at the end are
 * zero.
 */
export class Bitmap implements Iterable<number> {
  readonly length: number;
  readonly #bytes: Uint8Array;
  #count = 0;

  /** All zero. @throws RangeError when `length` is no count */
  constructor(length: number) {
    if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`not a number of bits: ${length}`);
    this.length = length;
    this.#bytes = new Uint8Array(Bitmap.byteLength(length));
  }

  static byteLength(length: number): number {
    return Math.ceil(length / 8);
  }

  static full(length: number): Bitmap {
    const bitmap = new Bitmap(length);
    bitmap.#bytes.fill(0xff);
    if (length % 8 !== 0) bitmap.#bytes[bitmap.#bytes.length - 1] = (0xff00 >> (length % 8)) & 0xff;
    bitmap.#count = length;
    return bitmap;
  }

  /** Copies the bytes. Undefined when there are too many or too few for `length` bits, or a spare bit is set. */
  static parse(bytes: Uint8Array, length: number): Bitmap | undefined {
    if (!isBitmap(bytes, length)) return undefined;
    const bitmap = new Bitmap(length);
    bitmap.#bytes.set(bytes);
    for (const byte of bytes) bitmap.#count += ones(byte);
    return bitmap;
  }

  /** Number of bits that are set. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.length;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** False for an index outside. */
  has(index: number): boolean {
    if (!(index >= 0 && index < this.length)) return false;
    return ((this.#bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
  }

  /** True when this changed it. @throws RangeError for an index outside */
  set(index: number): boolean {
    return this.#change(index, true);
  }

  /** True when this changed it. @throws RangeError for an index outside */
  clear(index: number): boolean {
    return this.#change(index, false);
  }

  /** A copy, as it is sent. */
  toBytes(): Uint8Array {
    return this.#bytes.slice();
  }

  copy(): Bitmap {
    const bitmap = new Bitmap(this.length);
    bitmap.#bytes.set(this.#bytes);
    bitmap.#count = this.#count;
    return bitmap;
  }

  /** The indexes whose bit is set, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.length; index++) {
      if ((index & 7) === 0 && this.#bytes[index >> 3] === 0) index += 7;
      else if (this.has(index)) yield index;
    }
  }

  /** Runs [start, end) of bits that are set, ascending. */
  *runs(): Generator<{ start: number; end: number }> {
    let start = -1;
    for (let index = 0; index <= this.length; index++) {
      if (this.has(index)) {
        if (start < 0) start = index;
      } else if (start >= 0) {
        yield { start, end: index };
        start = -1;
      }
    }
  }

  #change(index: number, value: boolean): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) throw new RangeError(`no bit ${index}`);
    if (this.has(index) === value) return false;
    const mask = 0x80 >> (index & 7);
    const byte = this.#bytes[index >> 3] ?? 0;
    this.#bytes[index >> 3] = value ? byte | mask : byte & ~mask;
    this.#count += value ? 1 : -1;
    return true;
  }
}

/** True when the bytes are a bitmap of so many bits: as long as needed, spare bits zero. */
export function isBitmap(bytes: Uint8Array, length: number): boolean {
  if (bytes.length !== Bitmap.byteLength(length)) return false;
  const spare = bytes.length * 8 - length;
  return spare === 0 || ((bytes.at(-1) ?? 0) & ((1 << spare) - 1)) === 0;
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}

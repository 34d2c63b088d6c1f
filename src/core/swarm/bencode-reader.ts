/**
 * Reads bencoded answers of strangers. Bounded in depth and number of items, dictionaries are Maps so that no key means
 * anything to the language, and whatever is not right is undefined, never an exception.
 */

export type Bencoded = number | Buffer | Bencoded[] | BencodedDict;
/** Keys are byte strings read as Latin-1. */
export type BencodedDict = ReadonlyMap<string, Bencoded>;

const MAX_DEPTH = 8;
const MAX_ITEMS = 20_000;
const COLON = 0x3a;
const END = 0x65;

/** The one value that `bytes` are, all of them; strings are views of `bytes`. Undefined for anything else. */
export function readBencode(bytes: Buffer): Bencoded | undefined {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  return value !== undefined && reader.at === bytes.length ? value : undefined;
}

class Reader {
  at = 0;
  #items = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  value(depth: number): Bencoded | undefined {
    this.#items += 1;
    if (depth > MAX_DEPTH || this.#items > MAX_ITEMS) return undefined;
    switch (this.#bytes[this.at]) {
      case 0x69: // i
        return this.#integer();
      case 0x6c: // l
        return this.#list(depth);
      case 0x64: // d
        return this.#dict(depth);
      default:
        return this.#string();
    }
  }

  #integer(): number | undefined {
    this.at += 1;
    const text = this.#until(END, 17);
    if (text === undefined || !/^(?:0|-?[1-9][0-9]*)$/.test(text)) return undefined;
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : undefined;
  }

  #string(): Buffer | undefined {
    const text = this.#until(COLON, 8);
    if (text === undefined || !/^(?:0|[1-9][0-9]*)$/.test(text)) return undefined;
    const end = this.at + Number(text);
    if (end > this.#bytes.length) return undefined;
    const value = this.#bytes.subarray(this.at, end);
    this.at = end;
    return value;
  }

  #list(depth: number): Bencoded[] | undefined {
    this.at += 1;
    const values: Bencoded[] = [];
    while (this.#bytes[this.at] !== END) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    this.at += 1;
    return values;
  }

  #dict(depth: number): BencodedDict | undefined {
    this.at += 1;
    const entries = new Map<string, Bencoded>();
    while (this.#bytes[this.at] !== END) {
      const key = this.#string()?.toString('latin1');
      if (key === undefined || entries.has(key)) return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      entries.set(key, value);
    }
    this.at += 1;
    return entries;
  }

  /** Text up to `stop`, which is skipped; undefined when it is not among the next `limit` bytes. */
  #until(stop: number, limit: number): string | undefined {
    const end = this.#bytes.subarray(this.at, this.at + limit + 1).indexOf(stop);
    if (end < 0) return undefined;
    const text = this.#bytes.toString('latin1', this.at, this.at + end);
    this.at += end + 1;
    return text;
  }
}

/** A half-open range of byte offsets, `start` included, `end` not. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Which bytes of a file are there. Ranges are kept sorted, disjoint and not adjacent, so their number is bounded by
 * the number of gaps. Plain data goes in and out (`toJSON`, `from`), so it can be stored and sent between threads.
 */
export class RangeSet {
  #ranges: ByteRange[] = [];

  /** Reads what `toJSON` wrote; anything that is not a list of sane ranges gives an empty set. */
  static from(data: unknown): RangeSet {
    const set = new RangeSet();
    if (!Array.isArray(data)) return set;
    for (const item of data) {
      if (!Array.isArray(item)) return new RangeSet();
      const [start, end] = item as unknown[];
      if (!isOffset(start) || !isOffset(end) || end <= start) return new RangeSet();
      set.add(start, end);
    }
    return set;
  }

  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** Total number of bytes. */
  get bytes(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    // Nearly every addition extends the last range or follows it: the in-order case stays cheap.
    const last = this.#ranges.at(-1);
    if (last === undefined || start > last.end) {
      this.#ranges.push({ start, end });
      return;
    }
    if (start >= last.start) {
      if (end > last.end) this.#ranges[this.#ranges.length - 1] = { start: last.start, end };
      return;
    }
    const merged: ByteRange[] = [];
    let range: ByteRange = { start, end };
    for (const other of this.#ranges) {
      if (other.end < range.start || other.start > range.end) merged.push(other);
      else range = { start: Math.min(other.start, range.start), end: Math.max(other.end, range.end) };
    }
    merged.push(range);
    this.#ranges = merged.toSorted((a, b) => a.start - b.start);
  }

  remove(start: number, end: number): void {
    if (end <= start) return;
    this.#ranges = this.#ranges.flatMap((range) => {
      if (range.end <= start || range.start >= end) return [range];
      const parts: ByteRange[] = [];
      if (range.start < start) parts.push({ start: range.start, end: start });
      if (range.end > end) parts.push({ start: end, end: range.end });
      return parts;
    });
  }

  /** End of the bytes that follow `position` without a gap; `position` itself when its byte is missing. */
  contiguousEnd(position: number): number {
    const range = this.#ranges.find(({ start, end }) => start <= position && position < end);
    return range?.end ?? position;
  }

  covers(start: number, end: number): boolean {
    return end <= start || this.contiguousEnd(start) >= end;
  }

  /** The gaps within [start, end), in order. */
  missing(start: number, end: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let position = start;
    for (const range of this.#ranges) {
      if (range.end <= position) continue;
      if (range.start >= end) break;
      if (range.start > position) gaps.push({ start: position, end: range.start });
      position = range.end;
    }
    if (position < end) gaps.push({ start: position, end });
    return gaps;
  }

  clone(): RangeSet {
    const copy = new RangeSet();
    copy.#ranges = [...this.#ranges];
    return copy;
  }

  toJSON(): [number, number][] {
    return this.#ranges.map(({ start, end }) => [start, end]);
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

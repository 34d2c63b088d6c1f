/**
 * Who wrote which bytes of a file last: what blame goes by when the file turns out wrong. Neighbouring ranges of one
 * writer are one entry, so an honest file has few. Pure.
 */
export interface Share<W> {
  readonly start: number;
  readonly end: number;
  readonly writer: W;
}

export class ContributionLog<W> {
  readonly #limit: number;
  /** Ascending, disjoint. */
  #shares: Share<W>[] = [];

  /** @param limit entries at most */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** No more can be noted without forgetting: whoever asks stops writing. */
  get full(): boolean {
    // One range may cut another in two.
    return this.#shares.length + 2 > this.#limit;
  }

  get shares(): readonly Share<W>[] {
    return this.#shares;
  }

  add(start: number, end: number, writer: W): void {
    if (end <= start) return;
    const first = this.#firstEndingAfter(start - 1);
    let last = first;
    const replaced: Share<W>[] = [];
    let from = start;
    let to = end;
    for (; last < this.#shares.length; last++) {
      const share = this.#shares[last] as Share<W>;
      if (share.start > end) break;
      if (share.writer === writer) {
        // Touches or overlaps: becomes part of the new entry.
        from = Math.min(from, share.start);
        to = Math.max(to, share.end);
        continue;
      }
      if (share.start < start) replaced.push({ ...share, end: Math.min(share.end, start) });
      if (share.end > end) replaced.push({ ...share, start: Math.max(share.start, end) });
    }
    replaced.push({ start: from, end: to, writer });
    this.#shares.splice(first, last - first, ...replaced.toSorted((a, b) => a.start - b.start));
  }

  remove(start: number, end: number): void {
    if (end <= start) return;
    const first = this.#firstEndingAfter(start);
    let last = first;
    const kept: Share<W>[] = [];
    for (; last < this.#shares.length; last++) {
      const share = this.#shares[last] as Share<W>;
      if (share.start >= end) break;
      if (share.start < start) kept.push({ ...share, end: start });
      if (share.end > end) kept.push({ ...share, start: end });
    }
    this.#shares.splice(first, last - first, ...kept);
  }

  /** What is noted of [start, end), cut to it. */
  within(start: number, end: number): Share<W>[] {
    const found: Share<W>[] = [];
    for (let at = this.#firstEndingAfter(start); at < this.#shares.length; at++) {
      const share = this.#shares[at] as Share<W>;
      if (share.start >= end) break;
      found.push({ ...share, start: Math.max(start, share.start), end: Math.min(end, share.end) });
    }
    return found;
  }

  /** Index of the first entry whose end lies behind `position`. */
  #firstEndingAfter(position: number): number {
    let low = 0;
    let high = this.#shares.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#shares[middle] as Share<W>).end > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

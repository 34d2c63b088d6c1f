/**
 * SHA-256 of a file that is still arriving: the hashing pool begins when the rest is likely to be there not long after it
 * has come to it, so that little is left to hash when the last byte comes, and no thread of the pool waits for long.
 */
import type { Sha256 } from '../../core/ids.ts';
import { ReadyMark } from '../../core/ready-mark.ts';

export interface HashAlongDeps {
  readonly path: string;
  readonly size: number;
  /** Hashes while the mark advances; undefined when that takes too long, or it is void. */
  along(path: string, size: number, mark: ReadyMark): Promise<Sha256 | undefined>;
  now(): number;
}

/** What is hashed in a millisecond, in bytes, where nobody else needs the processor. */
const HASHED_IN_MS = 1_000_000;
/** The pool may wait so long for bytes in all, in milliseconds; with busy processors it does not come to that. */
const WAIT_MS = 500;

export class HashAlong {
  readonly #deps: HashAlongDeps;
  readonly #mark = new ReadyMark();
  /** When bytes came first, and how many. */
  #began: { readonly at: number; readonly bytes: number } | undefined;
  #hashing: Promise<Sha256 | undefined> | undefined;

  constructor(deps: HashAlongDeps) {
    this.#deps = deps;
  }

  /** Bytes before `end` will not change any more; `bytes` have come in all. */
  advance(end: number, bytes: number): void {
    this.#mark.advance(end);
    if (this.#hashing === undefined && this.#isTime(bytes)) this.#begin();
  }

  /** Resolves when all is hashed, which is there now; undefined when it is to be begun anew. */
  async finish(): Promise<Sha256 | undefined> {
    this.#mark.complete(this.#deps.size);
    return this.#hashing;
  }

  close(): void {
    this.#mark.void();
  }

  #isTime(bytes: number): boolean {
    const { size, now } = this.#deps;
    const at = now();
    const began = (this.#began ??= { at, bytes });
    const came = bytes - began.bytes;
    if (came <= 0 || at <= began.at) return false;
    const restMs = ((size - bytes) * (at - began.at)) / came;
    return restMs <= WAIT_MS + size / HASHED_IN_MS;
  }

  #begin(): void {
    const { path, size, along } = this.#deps;
    this.#hashing = along(path, size, this.#mark).catch(() => undefined);
  }
}

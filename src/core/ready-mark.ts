/**
 * How far a file that is being written can be read from its beginning, in memory that threads share: who follows it goes
 * on without a message for each step. Counted in whole KiB, so it may lag behind by less than one. Pure.
 */
const UNIT_BYTES = 1024;
const VOID = -1;

export class ReadyMark {
  /** To be sent to another thread, which makes a mark of its own of it. */
  readonly memory: SharedArrayBuffer;
  readonly #word: Int32Array;

  constructor(memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#word = new Int32Array(memory);
  }

  /** Bytes up to here can be read, and will not change. 0 when it is void. */
  get end(): number {
    return Math.max(Atomics.load(this.#word, 0), 0) * UNIT_BYTES;
  }

  /** What was there counts no more, and nothing follows. */
  get isVoid(): boolean {
    return Atomics.load(this.#word, 0) === VOID;
  }

  /** @param end in bytes, below 2 TiB */
  advance(end: number): void {
    this.#set(Math.floor(end / UNIT_BYTES));
  }

  /** All of the file is there, which is `size` bytes long. */
  complete(size: number): void {
    this.#set(Math.ceil(size / UNIT_BYTES));
  }

  void(): void {
    this.#set(VOID);
  }

  /** Blocks this thread until the mark is no longer at `end`, or for `ms` milliseconds. */
  wait(end: number, ms: number): void {
    Atomics.wait(this.#word, 0, Math.ceil(end / UNIT_BYTES), ms);
  }

  /** One thread sets it, the others look. */
  #set(value: number): void {
    const before = Atomics.load(this.#word, 0);
    if (before === VOID || (value <= before && value !== VOID)) return;
    Atomics.store(this.#word, 0, value);
    Atomics.notify(this.#word, 0);
  }
}

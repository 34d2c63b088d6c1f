/**
 * What answers share: the gateway's thread, and memory. Libuv takes one new connection in each turn of the event loop; a
 * turn that serves hundreds of clients takes 10 ms and more, and new ones would wait for seconds. So a turn has a bounded
 * time for requests and for pieces of files, in the order in which they were asked for, and pieces become smaller the
 * more answers are being sent.
 */
import { soon } from '../core/soon.ts';

const LARGEST_BYTES = 256 * 1024;
const SMALLEST_BYTES = 32 * 1024;
/** In the buffers of all answers together, until more than a thousand are being sent. */
const TOTAL_BYTES = 32 * 1024 * 1024;
/**
 * In buffers that stay while nothing is being sent: a client that follows a file as it comes ends and begins with each
 * part, and V8 looks for garbage in all of the heap after some dozens of new buffers.
 */
const KEPT_BYTES = 1024 * 1024;
/** Answers with files that are being sent. */
const CROWD = TOTAL_BYTES / LARGEST_BYTES;
/** Time for it in each turn of the event loop, in milliseconds. */
const TURN_MS = 0.5;
/** Of those that have got nothing yet so many are let go before one of the others. */
const FIRSTS_A_FURTHER = 4;

export class SendShares {
  readonly #onCrowd: (crowded: boolean) => void;
  #sending = 0;
  #crowded = false;
  #until = 0;
  readonly #firsts = new Queue();
  readonly #furthers = new Queue();
  #since = 0;
  #turn: NodeJS.Immediate | undefined;
  readonly #pool: Buffer[] = [];
  #pooledBytes = 0;

  /** @param onCrowd is told when it becomes crowded, and when it is no more. */
  constructor(onCrowd: (crowded: boolean) => void = () => undefined) {
    this.#onCrowd = onCrowd;
  }

  begin(): void {
    if (++this.#sending > CROWD && !this.#crowded) this.#onCrowd((this.#crowded = true));
  }

  end(): void {
    if (--this.#sending < CROWD / 2 && this.#crowded) this.#onCrowd((this.#crowded = false));
    if (this.#sending > 0) return;
    while (this.#pooledBytes > KEPT_BYTES) this.#pooledBytes -= this.#pool.pop()?.length ?? 0;
  }

  /** So many are being sent that what waits for others on its connection had better wait without having begun. */
  get crowded(): boolean {
    return this.#crowded;
  }

  /** Resolves when a request may be worked on, or its first piece sent; undefined: at once. Most come before pieces. */
  first(): Promise<void> | undefined {
    return this.#share(this.#firsts);
  }

  /** Resolves when a further piece may be sent; undefined: at once. */
  further(): Promise<void> | undefined {
    return this.#share(this.#furthers);
  }

  #share(queue: Queue): Promise<void> | undefined {
    if (this.#turn === undefined) {
      this.#turn = setImmediate(this.#next);
      this.#until = performance.now() + TURN_MS;
    } else if (queue.waits || performance.now() >= this.#until) return queue.wait();
    return undefined;
  }

  /** For a piece: at least {@link SMALLEST_BYTES}. */
  buffer(): Buffer {
    const bytes = this.#bytes();
    for (let pooled = this.#pool.pop(); pooled !== undefined; pooled = this.#pool.pop()) {
      this.#pooledBytes -= pooled.length;
      if (pooled.length === bytes) return pooled;
    }
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes a buffer back that nobody refers to any more. */
  free(buffer: Buffer): void {
    if (buffer.length !== this.#bytes() || this.#pooledBytes + buffer.length > TOTAL_BYTES) return;
    this.#pool.push(buffer);
    this.#pooledBytes += buffer.length;
  }

  #bytes(): number {
    let bytes = LARGEST_BYTES;
    while (bytes > SMALLEST_BYTES && bytes * this.#sending > TOTAL_BYTES) bytes /= 2;
    return bytes;
  }

  readonly #next = (): void => {
    this.#turn = undefined;
    if (!this.#waits) return;
    this.#turn = setImmediate(this.#next);
    this.#until = performance.now() + TURN_MS;
    this.#go();
  };

  get #waits(): boolean {
    return this.#firsts.waits || this.#furthers.waits;
  }

  /** What is let go does its work in microtasks, so the time is looked at after those. */
  readonly #go = (): void => {
    if (!this.#waits || performance.now() >= this.#until) return;
    const first = this.#firsts.waits && (this.#since++ < FIRSTS_A_FURTHER || !this.#furthers.waits);
    if (first) this.#firsts.go();
    else {
      this.#since = 0;
      this.#furthers.go();
    }
    soon(this.#go);
  };
}

class Queue {
  #waiting: (() => void)[] = [];
  #first = 0;

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  go(): void {
    const go = this.#waiting[this.#first++];
    if (this.#first >= this.#waiting.length) {
      this.#waiting = [];
      this.#first = 0;
    }
    go?.();
  }
}

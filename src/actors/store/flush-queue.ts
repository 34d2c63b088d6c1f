/**
 * Finished files that wait to be flushed to the disk. Flushing one takes about a millisecond of everybody's disk and
 * processor, so small files wait until a rush of requests is over: whoever asked for them has them already, and a
 * daemon that is killed meanwhile finds them whole in partial/. How long and how many wait is bounded.
 */
import { closeSync, fsync } from 'node:fs';

import type { Clock } from '../../core/clock.ts';

interface Waiting {
  readonly open: () => number;
  readonly size: number;
  readonly since: number;
  readonly done: (error: Error | null) => void;
}

/** A few files are flushed when nothing has been asked for for this long, in milliseconds. */
const QUIET_MS = 100;
/** More than so many are what a rush leaves. */
const FEW = 16;
/**
 * A rush is over when nothing has been asked for and nothing has come for this long, in milliseconds. It has pauses:
 * everybody takes bytes of one large file, or all was asked for at the beginning. Flushes in them cost those who
 * download together with whoever uses the disk besides.
 */
const RUSH_QUIET_MS = 1_000;
/** A file waits at most about this long, in milliseconds. */
const LONGEST_MS = 10_000;
const MAX_WAITING = 512;
const MAX_WAITING_BYTES = 256 * 1024 * 1024;
/** Flushes at once: each holds one of the process's four I/O threads. */
const MAX_RUNNING = 2;

export class FlushQueue {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running = 0;
  #runningBytes = 0;
  #lastRush = Number.NEGATIVE_INFINITY;
  #timer: { clear(): void } | undefined;
  #closing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Files that wait or are being flushed. */
  get files(): number {
    return this.#waiting.length + this.#running;
  }

  /** Bytes of those files. */
  get bytes(): number {
    return this.#waitingBytes + this.#runningBytes;
  }

  /** Somebody needs the disk and the processor now. */
  rush(): void {
    this.#lastRush = this.#clock.now();
  }

  /**
   * `urgent` goes first and at once. Resolves when the file's bytes and its inode are on the disk; rejects with the error
   * of fsync or `open`, which is called when it is the file's turn and gives the descriptor: closed here.
   */
  flush(open: () => number, size: number, urgent: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null) => (error === null ? resolve() : reject(error));
      const waiting = { open, size, since: urgent ? Number.NEGATIVE_INFINITY : this.#clock.now(), done };
      if (urgent) this.#waiting.unshift(waiting);
      else {
        this.#waiting.push(waiting);
        if (this.#waiting.length > FEW) this.rush();
      }
      this.#waitingBytes += size;
      this.#work();
    });
  }

  get #quietMs(): number {
    return this.#waiting.length > FEW ? RUSH_QUIET_MS : QUIET_MS;
  }

  /** What waits is flushed now, and what comes later at once. */
  close(): void {
    this.#closing = true;
    this.#work();
  }

  #work(): void {
    while (this.#running < MAX_RUNNING && this.#due()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.size;
      this.#flush(next);
    }
    const [first] = this.#waiting;
    if (first === undefined || this.#running > 0 || this.#timer !== undefined) return;
    // A rush that goes on meanwhile is noticed then.
    const at = Math.min(this.#lastRush + this.#quietMs, first.since + LONGEST_MS);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, at - this.#clock.now());
  }

  #flush({ open, size, done }: Waiting): void {
    let fd: number;
    try {
      fd = open();
    } catch (error) {
      done(error as Error);
      return;
    }
    this.#running += 1;
    this.#runningBytes += size;
    fsync(fd, (error) => {
      this.#running -= 1;
      this.#runningBytes -= size;
      const closing = closed(fd);
      done(error ?? closing);
      this.#work();
    });
  }

  #due(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    const now = this.#clock.now();
    return (
      this.#closing ||
      now - this.#lastRush >= this.#quietMs ||
      now - first.since >= LONGEST_MS ||
      this.#waiting.length > MAX_WAITING ||
      this.#waitingBytes > MAX_WAITING_BYTES
    );
  }
}

/** Closes it; what the system says, if it says anything. */
function closed(fd: number): Error | null {
  try {
    closeSync(fd);
    return null;
  } catch (error) {
    return error as Error;
  }
}

/**
 * Writes lines to a descriptor and bears whatever becomes of it: what cannot be written, because a disk is full or nobody
 * reads a pipe, is counted and left out, and told when there is room again. It is bounded, and no end of the process
 * waits for room. (sonic-boom, which pino brings, ends the process at the first such error, and then tries for ever to
 * write the rest: a daemon whose log was on a full disk answered nobody any more.)
 */
import { write, writeSync } from 'node:fs';

export interface LogLinesDeps {
  readonly fd: number;
  /** Lines have been left out, and another one could be written now. */
  readonly lost: (lines: number) => void;
}

/** Lines gather up to this many characters or milliseconds, so that a busy daemon does not write each by itself. */
const GATHERED = 16_000;
const GATHER_MS = 200;
/** Characters that wait at most while what came before is being written. */
const MAX_WAITING = 1024 * 1024;
/** A pipe that is full is tried again after so many milliseconds, and at the end of the process so often. */
const FULL_PIPE_MS = 50;
const FULL_PIPE_TRIES = 10;
const FEED = 10;

export class LogLines {
  readonly #deps: LogLinesDeps;
  #waiting: string[] = [];
  #length = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  /** It is being written by an I/O thread. */
  #writing = false;
  /** The last byte that was written ends no line. */
  #cut = false;

  constructor(deps: LogLinesDeps) {
    this.#deps = deps;
  }

  /** Soon. */
  write(line: string): void {
    if (this.#length + line.length > MAX_WAITING) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#length += line.length;
    if (this.#length >= GATHERED) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), GATHER_MS).unref();
  }

  /** At once, in this thread. */
  writeNow(line: string): void {
    this.#writeAll(this.#whole(line));
  }

  /** What waits is written at once, as far as that can be done. */
  flush(): void {
    const text = this.#take();
    if (text !== '') this.#writeAll(this.#whole(text));
  }

  #send(): void {
    if (this.#writing) return;
    const text = this.#take();
    if (text === '') return;
    this.#writing = true;
    this.#goOn(this.#whole(text));
  }

  #take(): string {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#length = 0;
    return text;
  }

  /** A line that was cut off stands alone. */
  #whole(text: string): Buffer {
    return Buffer.from(this.#cut ? `\n${text}` : text);
  }

  #goOn(data: Buffer): void {
    write(this.#deps.fd, data, (error, bytes) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#goOn(data), FULL_PIPE_MS).unref();
        return;
      }
      if (error === null && bytes < data.length) {
        this.#written(data, bytes);
        this.#goOn(data.subarray(bytes));
        return;
      }
      this.#writing = false;
      if (error === null) this.#written(data, bytes);
      else this.#leaveOut(data);
      this.#send();
    });
  }

  #writeAll(data: Buffer): void {
    let tries = 0;
    for (let at = 0; at < data.length;) {
      try {
        const bytes = writeSync(this.#deps.fd, data, at);
        this.#written(data, at + bytes);
        at += bytes;
      } catch (error) {
        const full = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (full && (tries += 1) <= FULL_PIPE_TRIES) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS);
          continue;
        }
        this.#leaveOut(data.subarray(at));
        return;
      }
    }
  }

  #written(data: Buffer, end: number): void {
    if (end > 0) this.#cut = data[end - 1] !== FEED;
    const lost = this.#lost;
    if (lost === 0 || this.#cut) return;
    this.#lost = 0;
    this.#deps.lost(lost);
  }

  #leaveOut(data: Buffer): void {
    // One at the beginning ends what was cut off before.
    for (const byte of data.subarray(1)) if (byte === FEED) this.#lost += 1;
  }
}

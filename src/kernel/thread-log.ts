/**
 * Log records of a worker, sent to the main thread, which owns the log. Bounded: while the main thread has not taken
 * in the last 1000 records, more are counted and left out, and the next one that gets through says how many.
 */
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';

const WINDOW = 1000;
/** Records taken in between two acknowledgements. */
const ACKNOWLEDGE_EVERY = 50;

export interface LogRecord {
  readonly type: 'log';
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

/** The worker's end. */
export class ThreadLog implements Logger {
  readonly #post: (record: LogRecord) => void;
  #unacknowledged = 0;
  #left = 0;

  constructor(post: (record: LogRecord) => void) {
    this.#post = post;
  }

  debug(fields: object, message: string): void {
    this.#record('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#record('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#record('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#record('error', fields, message);
  }

  acknowledged(records: number): void {
    this.#unacknowledged -= records;
  }

  #record(level: keyof Logger, fields: object, message: string): void {
    if (this.#unacknowledged >= WINDOW) {
      this.#left += 1;
      return;
    }
    const left = this.#left > 0 ? { records_left_out: this.#left } : {};
    this.#unacknowledged += 1;
    this.#left = 0;
    try {
      this.#post({ type: 'log', level, fields: { ...plain(fields), ...left }, message });
    } catch {
      // a field that cannot be cloned: the message matters more
      this.#post({ type: 'log', level, fields: { ...left, fields_left_out: true }, message });
    }
  }
}

/** The main thread's end: writes the records and says now and then how many. */
export function receiveLog(
  log: Logger,
  thread: string,
  acknowledge: (records: number) => void,
): (record: LogRecord) => void {
  let taken = 0;
  return ({ level, fields, message }) => {
    log[level]({ thread, ...fields }, message);
    taken += 1;
    if (taken < ACKNOWLEDGE_EVERY) return;
    acknowledge(taken);
    taken = 0;
  };
}

/** Errors lose their code when they are cloned, so they go as plain records. */
function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]: [string, unknown]) => [
      key,
      value instanceof Error ? flat(value) : value,
    ]),
  );
}

function flat(error: Error): object {
  const { name: type, message, stack } = error;
  return { type, message, stack, ...(error instanceof DebtorrentError ? { code: error.code } : {}) };
}

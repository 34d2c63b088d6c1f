/**
 * What went wrong lately, for people: warnings and errors of the log, and requests that failed, with their codes. The
 * same trouble with the same party is one row that counts, so that one dead mirror does not push all else out.
 */
import { isErrorCode, type ErrorCode } from '../../core/errors.ts';
import type { Logger } from '../../core/logging.ts';

export interface RecentError {
  /** When it happened last, milliseconds since the epoch. */
  readonly at: number;
  readonly code: ErrorCode | null;
  /** The mirror, peer or part of the daemon that it is about; empty when nobody in particular. */
  readonly about: string;
  readonly message: string;
  readonly count: number;
}

const MAX_ROWS = 50;
const MAX_TEXT = 300;
/** What APT asks for and lives without every day. */
const USUAL = new Set<string>([
  'DIRECTORY',
  'NOT_FOUND',
  'NOT_CACHED',
  'GONE',
  'RANGE_NOT_SATISFIABLE',
  'CANCELLED',
  'STOPPING',
]);

export class RecentErrors {
  /** The one that happened last comes last. */
  readonly #rows = new Map<string, RecentError>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(code: string | undefined, about: string, message: string): void {
    if (code !== undefined && USUAL.has(code)) return;
    const known = code !== undefined && isErrorCode(code) ? code : null;
    // Without a code the message says what kind of trouble it is.
    const key = `${known ?? message.slice(0, MAX_TEXT)}\n${about.slice(0, MAX_TEXT)}`;
    const count = (this.#rows.get(key)?.count ?? 0) + 1;
    this.#rows.delete(key);
    this.#rows.set(key, {
      at: this.#now(),
      code: known,
      about: about.slice(0, MAX_TEXT),
      message: message.slice(0, MAX_TEXT),
      count,
    });
    const [oldest] = this.#rows.keys();
    if (this.#rows.size > MAX_ROWS && oldest !== undefined) this.#rows.delete(oldest);
  }

  /** Newest first. */
  list(): RecentError[] {
    return [...this.#rows.values()].toReversed();
  }
}

/** A log that also notes what went wrong. */
export function noting(log: Logger, recent: RecentErrors): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info(fields, message) {
      if ('code' in fields) noteRecord(recent, fields, message);
      log.info(fields, message);
    },
    warn(fields, message) {
      noteRecord(recent, fields, message);
      log.warn(fields, message);
    },
    error(fields, message) {
      noteRecord(recent, fields, message);
      log.error(fields, message);
    },
  };
}

function noteRecord(recent: RecentErrors, fields: object, message: string): void {
  const { code, reason, err, mirror, peer, url, target, tracker, child, path } = fields as Record<string, unknown>;
  const error = err as { code?: unknown; message?: unknown } | undefined;
  const found = code ?? error?.code;
  const about = text(mirror) ?? text(peer) ?? hostOf(url ?? target) ?? text(tracker) ?? text(child) ?? text(path) ?? '';
  const because = text(reason) ?? text(error?.message);
  recent.note(text(found), about, because === undefined ? message : `${message}: ${because}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Of an URL, or of a target in prefix form, the host. */
function hostOf(value: unknown): string | undefined {
  return typeof value === 'string' ? (/^(?:[a-z]+:\/\/|\/)?([^/?#]+)/i.exec(value)?.[1] ?? undefined) : undefined;
}

/** What may become of a file that APT asked for. */
import { DebtorrentError, ERRORS, isNoRoom, storeError, type ErrorCode } from '../core/errors.ts';
import type { HashName } from '../core/method/expected.ts';

export type Outcome =
  | {
      readonly kind: 'done';
      readonly size: number;
      /** Bytes that an earlier run had left. */
      readonly resumedAt: number;
      readonly lastModifiedMs: number | undefined;
      readonly digests: ReadonlyMap<HashName, string>;
    }
  /** What APT has is still current. */
  | { readonly kind: 'not-modified' }
  /** It is somewhere else: an absolute URI. */
  | { readonly kind: 'redirected'; readonly to: string }
  | Failure
  /** The daemon is not there (any more): the file has to come from the mirror. */
  | { readonly kind: 'daemon-gone'; readonly why: string };

export interface Failure {
  readonly kind: 'failed';
  readonly message: string;
  /** APT's word for it: it decides what APT does next. */
  readonly reason: string;
  /** APT tries again, some seconds later. */
  readonly transient: boolean;
}

/** Codes that APT knows by words of its own; the others are named after their status. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  HASH_MISMATCH: 'HashSumMismatch',
  TOO_LARGE: 'MaximumSizeExceeded',
  MIRROR_TIMEOUT: 'Timeout',
};

/** An error answer of the daemon. `code` is what X-Debtorrent-Error says, which may be anything. */
export function failureOfAnswer(status: number, code: string | undefined, line: string): Failure {
  const known = code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : undefined;
  const named = known === undefined ? undefined : REASONS[known];
  // APT does not try again what is wrong: neither does the daemon, which has tried other mirrors already
  const transient = known === undefined ? status >= 500 || status === 429 : ERRORS[known].transient;
  const message = [status, known, line].filter((part) => part !== undefined && part !== '').join(' ');
  return { kind: 'failed', message, reason: named ?? `HttpError${status}`, transient: transient && !isFinal(named) };
}

function isFinal(reason: string | undefined): boolean {
  return reason === 'HashSumMismatch' || reason === 'MaximumSizeExceeded';
}

export function failure(message: string, reason: string, transient = false): Failure {
  return { kind: 'failed', message, reason, transient };
}

/** What was thrown while a file was written: a full disk, a target that is no file. */
export function failureOfError(error: unknown): Failure {
  if (error instanceof DebtorrentError) return failure(error.message, error.code);
  return failure(storeError(error).message, isNoRoom(error) ? 'DiskFull' : 'LocalError');
}

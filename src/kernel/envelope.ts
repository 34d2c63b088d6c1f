/**
 * What crosses a port between threads. Failures are values, because an exception that crosses by itself loses its
 * class, its code and its cause.
 */
import type { ErrorCode } from '../core/errors.ts';
import { DebtorrentError } from '../core/errors.ts';

/** One message to one actor of the other thread. */
export interface Parcel {
  readonly actor: string;
  readonly kind: string;
  readonly args: readonly unknown[];
  /** Milliseconds; undefined for a tell. The receiver gives up then too, so that it does not work for nobody. */
  readonly deadlineMs: number | undefined;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Where it was thrown, for the log. */
  readonly stack?: string | undefined;
}

/** A reply; undefined acknowledges a tell. */
export type Envelope = { readonly value: unknown } | { readonly failure: Failure } | undefined;

/** What is not a DebtorrentError gets the code given. */
export function toFailure(error: unknown, code: ErrorCode): Failure {
  if (error instanceof DebtorrentError) return { code: error.code, message: error.message, stack: error.stack };
  if (error instanceof Error) return { code, message: error.message, stack: error.stack };
  return { code, message: String(error) };
}

export function fromFailure({ code, message, stack }: Failure): DebtorrentError {
  const error = new DebtorrentError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

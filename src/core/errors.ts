/**
 * The one table of errors. Each code is stable: it is what `X-Debtorrent-Error` carries, what logs say and what
 * docs/ERRORS.md explains; a test ties the three together.
 */
import { constants } from 'node:os';

interface ErrorInfo {
  /** HTTP status that the gateway answers with (RFC 9110). */
  readonly status: number;
  /** True when the same request may succeed later: the answer then carries Retry-After. */
  readonly transient: boolean;
  readonly summary: string;
}

export const ERRORS = {
  // what the client sent
  BAD_REQUEST: { status: 400, transient: false, summary: 'the request is malformed or ambiguous' },
  BAD_TARGET: { status: 400, transient: false, summary: 'the request target is no URL that this proxy serves' },
  REQUEST_TIMEOUT: { status: 408, transient: false, summary: 'the client did not send its request in time' },
  METHOD_NOT_ALLOWED: { status: 405, transient: false, summary: 'only GET, HEAD and CONNECT are served' },
  HOST_NOT_ALLOWED: { status: 403, transient: false, summary: 'the host is not on the list of allowed mirrors' },
  ADDRESS_NOT_ALLOWED: {
    status: 403,
    transient: false,
    summary: 'the host resolves to a private, loopback or link-local address and is not named in the configuration',
  },
  DIRECTORY: { status: 301, transient: false, summary: 'the path is that of a directory, whose name ends in a slash' },
  NOT_FOUND: { status: 404, transient: false, summary: 'the mirror does not have the file' },
  GONE: { status: 410, transient: false, summary: 'the mirror says that the file is gone for good' },
  FORBIDDEN: { status: 403, transient: false, summary: 'the mirror refuses to serve the file' },
  NOT_CACHED: {
    status: 504,
    transient: false,
    summary: 'the client wants only what is in the cache, and it is not there',
  },
  RANGE_NOT_SATISFIABLE: { status: 416, transient: false, summary: 'the range starts beyond the end of the file' },
  MISDIRECTED: { status: 421, transient: false, summary: 'the page is served only to names of the daemon itself' },
  // what the mirror did
  MIRROR_UNREACHABLE: { status: 503, transient: true, summary: 'no connection to the mirror' },
  MIRROR_ERROR: { status: 503, transient: true, summary: 'the mirror answered with an error that may pass' },
  MIRROR_TIMEOUT: { status: 504, transient: true, summary: 'the mirror did not answer in time' },
  MIRROR_PROTOCOL: { status: 502, transient: true, summary: 'the mirror broke the rules of HTTP' },
  MIRROR_TRUNCATED: { status: 503, transient: true, summary: 'the mirror ended the file early' },
  REDIRECT_REFUSED: { status: 502, transient: false, summary: 'the mirror redirects to a place that is not allowed' },
  HASH_MISMATCH: {
    status: 502,
    transient: true,
    summary: 'the file from the mirror is not the one that is signed for',
  },
  TOO_LARGE: { status: 502, transient: false, summary: 'the file is larger than its index says or than the limit' },
  // what a peer did
  PEER_PROTOCOL: { status: 502, transient: true, summary: 'the peer broke the rules of the protocol' },
  NO_PEER: { status: 503, transient: true, summary: 'no peer gives the bytes now' },
  // what happened here
  STORE_FULL: { status: 503, transient: true, summary: 'the disk is full, or cache-size too small' },
  STORE_IO: { status: 503, transient: true, summary: 'the cache directory cannot be read or written' },
  OVERLOADED: { status: 503, transient: true, summary: 'a queue is full' },
  STOPPING: { status: 503, transient: true, summary: 'the daemon is stopping' },
  ACTOR_STOPPED: { status: 503, transient: true, summary: 'a part of the daemon ended while it was working on this' },
  ACTOR_FAILED: { status: 503, transient: true, summary: 'a part of the daemon failed while it was working on this' },
  ASK_TIMEOUT: { status: 504, transient: true, summary: 'a part of the daemon did not answer before the deadline' },
  MAILBOX_FULL: { status: 503, transient: true, summary: 'the mailbox of a part of the daemon is full' },
  CANCELLED: { status: 503, transient: true, summary: 'the work was cancelled' },
  INTERNAL: { status: 500, transient: true, summary: 'a fault in the daemon itself' },
  // signed metadata
  SIGNATURE_BAD: { status: 502, transient: false, summary: 'the signature of the Release file is wrong' },
  SIGNATURE_UNKNOWN_KEY: { status: 502, transient: false, summary: 'the Release file is signed by no trusted key' },
  RELEASE_EXPIRED: { status: 502, transient: false, summary: 'the Release file is past its Valid-Until' },
  RELEASE_NOT_YET_VALID: { status: 502, transient: false, summary: 'the Release file is dated more than a day ahead' },
  RELEASE_MALFORMED: { status: 502, transient: false, summary: 'the Release file cannot be understood' },
  RELEASE_OLDER: { status: 502, transient: false, summary: 'the Release file is older than the one adopted before' },
  INDEX_MALFORMED: { status: 502, transient: false, summary: 'the index cannot be understood' },
  INDEX_TOO_LARGE: { status: 502, transient: false, summary: 'the index is larger than its Release or the limit says' },
  VERIFIER_MISSING: { status: 500, transient: false, summary: 'neither gpgv nor sqv is on this machine' },
  DECOMPRESSOR_MISSING: {
    status: 500,
    transient: false,
    summary: 'the program that decompresses the index is missing',
  },
  // configuration
  CONFIG_INVALID: { status: 500, transient: false, summary: 'the configuration is wrong' },
  SETUP_FAILED: {
    status: 500,
    transient: false,
    summary: 'a file that setup reads or changes cannot be read or changed',
  },
  CACHE_TAKEN: { status: 500, transient: false, summary: 'another daemon uses the cache directory' },
  PORT_TAKEN: { status: 500, transient: false, summary: 'the address is in use' },
  LISTEN_FAILED: { status: 500, transient: false, summary: 'the address is none of this machine, or not allowed' },
} as const satisfies Record<string, ErrorInfo>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** An expected failure: a stable code and one line that says what is wrong. */
export class DebtorrentError extends Error {
  override readonly name = 'DebtorrentError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message.replaceAll(/\s*[\r\n]+\s*/g, ' '), options);
    this.code = code;
  }
}

/**
 * What a file of the cache directory could not be written or read for: STORE_FULL when there is no room, else STORE_IO.
 * @param before stands before what the system says of it.
 */
export function storeError(error: unknown, before = ''): DebtorrentError {
  if (error instanceof DebtorrentError) return error;
  const { errno = 0, message } = error as NodeJS.ErrnoException;
  const said = UNNAMED.get(-errno);
  const readable = said === undefined ? message : message.replace(NO_NAME, said);
  return new DebtorrentError(isNoRoom(error) ? 'STORE_FULL' : 'STORE_IO', before + readable, { cause: error });
}

/** Node knows these by their number alone: code and message are `Unknown system error -122`. */
const UNNAMED: ReadonlyMap<number, string> = new Map([
  [constants.errno.EDQUOT, 'EDQUOT: disk quota exceeded'],
  [constants.errno.ESTALE, 'ESTALE: stale file handle'],
]);
const NO_NAME = /^(?:Unknown system error -\d+(?:: )?)+/;

/** Whether a file could not be written because the disk is full, or the user's share of it. */
export function isNoRoom(error: unknown): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || errno === -constants.errno.EDQUOT;
}

/** What kept a program from listening; `where` is what it cannot do, such as `cannot listen on [::1]:9988`. */
export function listenError(error: unknown, where: string): DebtorrentError {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE'
    ? new DebtorrentError('PORT_TAKEN', `${where}: it is in use`, { cause: error })
    : new DebtorrentError('LISTEN_FAILED', `${where}: ${message}`, { cause: error });
}

/** Narrows anything thrown to a DebtorrentError; what is not one becomes INTERNAL with its message. */
export function asDebtorrentError(error: unknown): DebtorrentError {
  if (error instanceof DebtorrentError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DebtorrentError('INTERNAL', message, { cause: error });
}

/** Why it failed, in one line. Of a name with several addresses the reason of each: Node's own message is empty then. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

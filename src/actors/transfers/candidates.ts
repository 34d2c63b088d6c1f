/**
 * Which address of a file to ask next, and when. Pure. Faults that may pass are tried again with back-off, elsewhere
 * first; final answers cross an address out; when all are crossed out, the first one's answer is the client's.
 */
import { asDebtorrentError, type ErrorCode } from '../../core/errors.ts';
import type { MirrorUrl } from '../../core/ids.ts';

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  /** The same request may succeed later. */
  readonly transient: boolean;
}

/** Of something that went wrong on this machine: it may be right the next time. */
export function faultOf(error: unknown): Fault {
  const { code, message } = asDebtorrentError(error);
  return { code, message, transient: true };
}

/** The mirrors' fault is not the only one where peers have brought a part and do not bring the rest. */
export function afterPeers(fault: Fault, fromPeers: number): Fault {
  if (fromPeers === 0) return fault;
  return { ...fault, message: `no peer is left that gives the rest, and ${fault.message}` };
}

/** Faults that no other mirror can mend. */
export const OWN_FAULTS: ReadonlySet<string> = new Set([
  'STORE_FULL',
  'STORE_IO',
  'CANCELLED',
  'ACTOR_STOPPED',
  'ACTOR_FAILED',
  'INTERNAL',
]);

/** What a mirror says of a name that is no file's any more. */
export const NO_FILE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['NOT_FOUND', 'GONE', 'DIRECTORY']);

interface Candidate {
  readonly url: MirrorUrl;
  tries: number;
  fault: Fault | undefined;
  out: boolean;
}

/** Failures of one address in a row before it is crossed out. */
const MAX_TRIES = 3;
/** Addresses beyond those of the plan, which clients name. */
const MOST_ADDED = 8;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 4_000;

export class Candidates {
  readonly #candidates: Candidate[];
  #added = 0;

  /** `failing` tells which addresses are on mirrors that failed lately: they come last. */
  constructor(urls: readonly MirrorUrl[], failing: (url: MirrorUrl) => boolean) {
    const unique = [...new Set(urls)];
    const late = new Set(unique.filter(failing));
    const ordered = [...unique.filter((url) => !late.has(url)), ...late];
    this.#candidates = ordered.map((url) => ({ url, tries: 0, fault: undefined, out: false }));
  }

  /** Further addresses of the same content, at which somebody else asks for it: they come last. */
  add(urls: readonly MirrorUrl[]): void {
    for (const url of urls) {
      if (this.#added >= MOST_ADDED || this.#candidates.some((other) => other.url === url)) continue;
      this.#added += 1;
      this.#candidates.push({ url, tries: 0, fault: undefined, out: false });
    }
  }

  /** The address to ask: the one with the fewest failures, in order. Undefined when all are crossed out. */
  current(): MirrorUrl | undefined {
    const left = this.#candidates.filter(({ out }) => !out);
    return left.toSorted((a, b) => a.tries - b.tries)[0]?.url;
  }

  /** More than one address is left. */
  get several(): boolean {
    return this.#candidates.filter(({ out }) => !out).length > 1;
  }

  /**
   * Notes a failure of `url`. Returns the milliseconds to wait before the next request to `current()`, or undefined
   * when there is none left. `patient` false crosses out at the first failure.
   */
  failed(url: MirrorUrl, fault: Fault, retryAfterMs = 0, patient = true): number | undefined {
    const candidate = this.#candidates.find((other) => other.url === url);
    if (candidate !== undefined && !candidate.out) {
      candidate.tries += 1;
      candidate.fault = fault;
      if (!fault.transient || !patient || candidate.tries >= MAX_TRIES) candidate.out = true;
    }
    const next = this.current();
    if (next === undefined) return undefined;
    const tries = this.#candidates.find((other) => other.url === next)?.tries ?? 0;
    if (tries === 0) return 0;
    return Math.min(Math.max(FIRST_DELAY_MS * 3 ** (tries - 1), next === url ? retryAfterMs : 0), MAX_DELAY_MS);
  }

  /** Bytes came: failures before that do not count any more. */
  progressed(url: MirrorUrl): void {
    const candidate = this.#candidates.find((other) => other.url === url);
    if (candidate !== undefined && !candidate.out) candidate.tries = 0;
  }

  /** What to tell the client when none is left: what the address that it asked for answered. */
  verdict(asked: MirrorUrl): Fault {
    const own = this.#candidates.find(({ url }) => url === asked)?.fault;
    const other = this.#candidates.find(({ fault }) => fault !== undefined)?.fault;
    return own ?? other ?? { code: 'MIRROR_UNREACHABLE', message: 'no mirror is left to ask', transient: true };
  }
}

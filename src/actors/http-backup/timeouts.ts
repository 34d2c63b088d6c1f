/** How long a mirror may be silent, in milliseconds. APT gives up on the proxy after 30 s without data. */
export interface MirrorTimeouts {
  readonly connectMs: number;
  /** From the request to the answer's headers. */
  readonly headersMs: number;
  /** Between two pieces of the body. */
  readonly stallMs: number;
  /** Instead of the last two for what did not come from the one that was asked before: clients have waited as well. */
  readonly againMs: number;
}

/** The same for a request, which may be one for what did not come before. */
export function timeoutsFor(timeouts: MirrorTimeouts, again = false): MirrorTimeouts {
  if (!again) return timeouts;
  const { headersMs, stallMs, againMs } = timeouts;
  return { ...timeouts, headersMs: Math.min(headersMs, againMs), stallMs: Math.min(stallMs, againMs) };
}

export const MIRROR_TIMEOUTS: MirrorTimeouts = {
  connectMs: 6_000,
  headersMs: 12_000,
  stallMs: 15_000,
  againMs: 6_000,
};

/** How long a mirror may be silent, in milliseconds. APT gives up on the proxy after 30 s without data. */
export interface MirrorTimeouts {
  readonly connectMs: number;
  /** From the request to the answer's headers. */
  readonly headersMs: number;
  /** Between two pieces of the body. */
  readonly stallMs: number;
}

export const MIRROR_TIMEOUTS: MirrorTimeouts = { connectMs: 6_000, headersMs: 12_000, stallMs: 15_000 };

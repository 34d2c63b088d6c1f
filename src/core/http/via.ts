/**
 * How the daemon names itself in Via (RFC 9110 section 7.6.3): by a name that is new at each start and says nothing of the
 * machine. A request that has it came from this daemon, by whatever name of this machine.
 */
export interface Introduction {
  readonly userAgent: string;
  /** Value of Via in requests to mirrors. */
  readonly via: string;
}

/** @param received the Via header of a request. */
export function cameFrom(received: string | undefined, via: string): boolean {
  return received?.split(',').some((hop) => hop.trim() === via) === true;
}

/** Which of two connections between the same peers is kept: both ends come to the same answer (PROTOCOL.md, Connections). */
export interface Connection {
  /** Milliseconds; when the connection was made. */
  readonly openedAt: number;
  readonly incoming: boolean;
}

/** Both younger than this are taken to have been opened at the same time. */
const YOUNG_MS = 5_000;

/** True when `fresh` is to take the place of `old`, which was there first. Peer ids are hexadecimal. */
export function replaces(fresh: Connection, old: Connection, own: string, peer: string, now: number): boolean {
  const young = now - old.openedAt < YOUNG_MS && now - fresh.openedAt < YOUNG_MS;
  if (!young || fresh.incoming === old.incoming) return false;
  return fresh.incoming === peer < own;
}

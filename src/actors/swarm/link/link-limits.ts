/** The bounds of links: what PROTOCOL.md sets, and how much of a machine peers may take. */
export interface LinkLimits {
  /** Links that others opened, and their connections on the way to one, in total. */
  readonly links: number;
  readonly linksPerAddress: number;
  /** Of an IPv6 network of 64 bits, whose addresses one machine may all have. */
  readonly linksPerNetwork: number;
  /** Connections of others whose handshakes are not done. */
  readonly handshakes: number;
  /** New connections from one address: at once, and a second in the long run. */
  readonly connectBurst: number;
  readonly connectsPerSecond: number;
  readonly handshakeMs: number;
  readonly keepAliveMs: number;
  /** A link that sends no whole message for so long is closed. */
  readonly silenceMs: number;
  /** A link whose peer is asked whether it is there, and sends nothing for so long, is closed. */
  readonly pulseMs: number;
  /** A peer that takes nothing of what waits for it for so long is closed. */
  readonly stallMs: number;
  /** Requests open on a link in each direction. */
  readonly requests: number;
  readonly requestMs: number;
  /** A request's answer is awaited no longer than this, whatever else the peer sends. */
  readonly longestRequestMs: number;
  /** What was cancelled may still come for so long. */
  readonly lateMs: number;
  /** Messages of a peer, without blocks and answered requests: at once, and a second in the long run. */
  readonly messageBurst: number;
  readonly messagesPerSecond: number;
  /** Bytes that wait for the socket: `writable` is false above, true again at half. */
  readonly highWater: number;
  /** More waits only for a peer that asks and does not read. */
  readonly mostQueued: number;
  readonly allowedFast: number;
  readonly banMs: number;
}

export const LINK_LIMITS: LinkLimits = {
  links: 200,
  linksPerAddress: 8,
  linksPerNetwork: 64,
  handshakes: 32,
  connectBurst: 32,
  connectsPerSecond: 2,
  handshakeMs: 10_000,
  keepAliveMs: 55_000,
  silenceMs: 150_000,
  pulseMs: 10_000,
  stallMs: 120_000,
  requests: 256,
  requestMs: 10_000,
  longestRequestMs: 60_000,
  lateMs: 60_000,
  messageBurst: 8_000,
  messagesPerSecond: 2_000,
  highWater: 1_048_576,
  mostQueued: 8 * 1_048_576,
  allowedFast: 64,
  banMs: 3_600_000,
};

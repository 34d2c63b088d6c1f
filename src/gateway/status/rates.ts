/** Bytes a second, from two observations that lie at least half a second apart. */
import type { Observation } from './observe.ts';

export interface Rates {
  /** By transfer: its address and hash. */
  readonly transfers: ReadonlyMap<string, number>;
  /** By the address of a peer. */
  readonly peers: ReadonlyMap<string, { readonly down: number; readonly up: number }>;
  readonly fromPeers: number;
  readonly fromMirrors: number;
  readonly uploaded: number;
}

const LEAST_MS = 500;
/** A rate over a longer time says nothing of now. */
const MOST_MS = 12_000;

const NONE: Rates = { transfers: new Map(), peers: new Map(), fromPeers: 0, fromMirrors: 0, uploaded: 0 };

export class RateMeter {
  #before: Observation | undefined;
  #rates = NONE;

  /** Rates at this observation; as long as too little time has passed, those that were measured last. */
  take(observation: Observation): Rates {
    const before = this.#before;
    const ms = before === undefined ? Number.POSITIVE_INFINITY : observation.at - before.at;
    if (ms >= 0 && ms < LEAST_MS) return this.#rates;
    this.#before = observation;
    this.#rates = before === undefined || ms < 0 || ms > MOST_MS ? NONE : between(before, observation, ms / 1000);
    return this.#rates;
  }
}

export function transferKey({ path, sha256 }: { readonly path: string; readonly sha256: string | null }): string {
  return `${sha256 ?? ''} ${path}`;
}

function between(before: Observation, now: Observation, seconds: number): Rates {
  // What has become less was counted anew.
  const rate = (was: number | undefined, is: number) => (was === undefined || is < was ? 0 : (is - was) / seconds);
  const received = new Map(before.transfers.map((transfer) => [transferKey(transfer), transfer.received]));
  const peers = new Map(before.swarm.peers.map((peer) => [peer.address, peer]));
  return {
    transfers: new Map(
      now.transfers.map((transfer) => {
        const key = transferKey(transfer);
        return [key, rate(received.get(key) ?? 0, transfer.received)];
      }),
    ),
    peers: new Map(
      now.swarm.peers.map(({ address, down_bytes, up_bytes }) => {
        const was = peers.get(address);
        return [address, { down: rate(was?.down_bytes, down_bytes), up: rate(was?.up_bytes, up_bytes) }];
      }),
    ),
    fromPeers: rate(before.totals.fromPeersBytes, now.totals.fromPeersBytes),
    fromMirrors: rate(before.totals.fromMirrorBytes, now.totals.fromMirrorBytes),
    uploaded: rate(before.swarm.totals.upBytes, now.swarm.totals.upBytes),
  };
}

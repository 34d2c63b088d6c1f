/**
 * bittorrent-tracker's server without its sockets, with bounds: it keeps a swarm for every id that anybody names, and
 * leaves the IPv6 peers out of its answers by UDP.
 */
import Server, { type AnnounceAnswer, type Done, type Swarm } from 'bittorrent-tracker/server';

/** What clients are told, in milliseconds. */
export const INTERVAL_MS = 900_000;
/**
 * And in the first minutes, when a tracker knows only who came since it was started: else who comes then would hear of
 * the others after the usual interval only. Swarms that have so many peers already need no more.
 */
const FIRST_INTERVAL_MS = 120_000;
const FIRST_MS = INTERVAL_MS * 1.2;
const ENOUGH_PEERS = 20;
/** Whoever has missed two announcements is gone. */
const PEER_TTL_MS = 2 * INTERVAL_MS + 300_000;
/** An archive has some tens of torrents. */
export const MAX_SWARMS = 1_000;
/** The latest ones; more would be no better as a sample for 50 of them. */
export const MAX_PEERS = 500;

export class BoundedServer extends Server {
  /** Torrents in the order of their first announcement. */
  readonly #known = new Set<string>();
  readonly #maxSwarms: number;
  readonly #now: () => number;
  readonly #startedAt: number;

  /** @param now milliseconds */
  constructor(now: () => number, maxSwarms = MAX_SWARMS) {
    super({
      http: false,
      udp: false,
      ws: false,
      stats: false,
      interval: INTERVAL_MS,
      peersCacheLength: MAX_PEERS,
      peersCacheTtl: PEER_TTL_MS,
    });
    this.#maxSwarms = maxSwarms;
    this.#now = now;
    this.#startedAt = now();
  }

  get swarms(): number {
    return this.#known.size;
  }

  override createSwarm(infoHash: string, done: Done<Swarm>): void {
    while (this.#known.size >= this.#maxSwarms) this.#forget();
    this.#known.add(infoHash);
    super.createSwarm(infoHash, done);
  }

  override _onAnnounce(params: { readonly type: string; readonly ip: string }, done: Done<AnnounceAnswer>): void {
    super._onAnnounce(params, (error, answer) => {
      if (answer !== undefined) {
        if (params.type === 'udp' && params.ip.includes(':')) answer.peers = answer.peers6;
        const isFew = answer.complete + answer.incomplete < ENOUGH_PEERS;
        if (isFew && this.#now() - this.#startedAt < FIRST_MS) answer.interval = FIRST_INTERVAL_MS / 1000;
      }
      done(error, answer);
    });
  }

  /** The smallest swarm goes, of those the oldest: made-up ids have one peer each, and do not displace real swarms. */
  #forget(): void {
    let victim: string | undefined;
    let least = Infinity;
    for (const infoHash of this.#known) {
      const size = this.torrents[infoHash]?.peers.length ?? 0;
      if (size >= least) continue;
      victim = infoHash;
      least = size;
      if (size <= 1) break;
    }
    if (victim === undefined) return;
    this.#known.delete(victim);
    delete this.torrents[victim];
  }
}

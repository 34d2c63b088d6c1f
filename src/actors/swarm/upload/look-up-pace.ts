/**
 * How often the store is asked for peers. What peers want costs them a hash that anybody can read in an index, and costs
 * this machine a question from thread to thread: who wants one file after another that is not here, over new links too,
 * has his questions asked slowly.
 */
import { LruMap } from '../../../core/swarm/lru-map.ts';
import { TokenBucket } from '../../../core/swarm/token-bucket.ts';
import { keysOf } from '../link/address-keys.ts';

/** Questions for one address: at once, and a second in the long run. What is known here is not asked for. */
const LOOK_UPS = { rate: 256, burst: 4_096 };
/** An IPv6 network of 64 bits has so many times as many. */
const NETWORK_TIMES = 8;
/** Addresses that are remembered; who has been forgotten starts anew. */
const MOST_ADDRESSES = 8_192;

export class LookUpPace {
  readonly #buckets = new LruMap<string, TokenBucket>({ entries: MOST_ADDRESSES });

  /** Whether one more question may be asked for this address now. */
  take(address: string, now: number): boolean {
    return keysOf(address).every((key) => this.#bucket(key, key === address ? 1 : NETWORK_TIMES).take(1, now) === 0);
  }

  #bucket(key: string, times: number): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket({ rate: times * LOOK_UPS.rate, burst: times * LOOK_UPS.burst });
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }
}

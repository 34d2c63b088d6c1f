/** How many datagrams are looked at: anybody on the network can send any number from any number of addresses. */

interface Bucket {
  tokens: number;
  at: number;
}

export interface BudgetLimits {
  /** Datagrams a second and at once, of one address. */
  readonly perSource: { readonly rate: number; readonly burst: number };
  /** Of all addresses together. */
  readonly total: { readonly rate: number; readonly burst: number };
}

/** Addresses remembered; beyond it the one that has been silent for longest is forgotten. */
const SOURCES = 256;

export class DatagramBudget {
  readonly #limits: BudgetLimits;
  readonly #sources = new Map<string, Bucket>();
  readonly #total: Bucket;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
    this.#total = { tokens: limits.total.burst, at: 0 };
  }

  /** True when a datagram from this address may be looked at; counts it then. */
  take(source: string, now: number): boolean {
    const { perSource, total } = this.#limits;
    const own = this.#sources.get(source) ?? { tokens: perSource.burst, at: now };
    this.#sources.delete(source);
    this.#sources.set(source, own);
    if (this.#sources.size > SOURCES) this.#forgetOldest();
    refill(own, perSource, now);
    refill(this.#total, total, now);
    if (own.tokens < 1 || this.#total.tokens < 1) return false;
    own.tokens -= 1;
    this.#total.tokens -= 1;
    return true;
  }

  #forgetOldest(): void {
    for (const source of this.#sources.keys()) {
      this.#sources.delete(source);
      return;
    }
  }
}

function refill(bucket: Bucket, { rate, burst }: { rate: number; burst: number }, now: number): void {
  const seconds = Math.max(0, now - bucket.at) / 1000;
  bucket.tokens = Math.min(burst, bucket.tokens + seconds * rate);
  bucket.at = now;
}

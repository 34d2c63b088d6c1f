/**
 * Notices that this machine has come to another network, or was asleep: whoever names it to others does so by an
 * address where it may not be, and what failed for want of a network may work now. Nobody tells a program of that, so
 * its addresses and the time are looked at.
 */
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import { canonicalAddress, scopeOf } from '../../core/swarm/peer-address.ts';

const LOOK_MS = 30_000;
/** A look that is later by so much was kept up by sleep, not by work. */
const SLEPT_MS = 60_000;

export interface NetworkWatchDeps {
  readonly clock: Clock;
  /** Those of this machine that others may reach, link-local ones among them. */
  readonly addresses: () => Iterable<string>;
  /** Milliseconds that go on while the machine sleeps, where the clock's may not. */
  readonly timeOfDay: () => number;
  changed(): void;
  /**
   * Addresses that this machine had, and has no longer when it has `others` in their place, of which `changed` tells then.
   * Else they may be back at once: those of an interface whose cable is out, or which changes from one access point to
   * the next, are not shown either.
   */
  lost(addresses: ReadonlySet<string>, others: boolean): void;
}

export class NetworkWatch {
  readonly #deps: NetworkWatchDeps;
  #addresses: ReadonlySet<string>;
  #lookedAt: number;
  #timeOfDay: number;
  #timer: { clear(): void };

  constructor(deps: NetworkWatchDeps) {
    this.#deps = deps;
    this.#addresses = new Set(deps.addresses());
    this.#lookedAt = deps.clock.now();
    this.#timeOfDay = deps.timeOfDay();
    this.#timer = this.#later();
  }

  stop(): void {
    this.#timer.clear();
  }

  #later(): { clear(): void } {
    return this.#deps.clock.setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const { clock, addresses, timeOfDay, changed, lost } = this.#deps;
    const passed = Math.max(clock.now() - this.#lookedAt, timeOfDay() - this.#timeOfDay);
    const known = this.#addresses;
    this.#addresses = new Set(addresses());
    this.#lookedAt = clock.now();
    this.#timeOfDay = timeOfDay();
    this.#timer = this.#later();
    const gone = [...known].filter((address) => !this.#addresses.has(address));
    // Each container's interface has a link-local one as well, and they come and go.
    const fresh = [...this.#addresses].some((address) => !known.has(address) && scopeOf(address) !== 'link-local');
    if (gone.length > 0) lost(new Set(gone), fresh);
    if (passed >= LOOK_MS + SLEPT_MS || fresh) changed();
  }
}

export function reachableAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.flatMap(({ address, internal }) => (internal ? [] : canonicalAddress(address)));
}

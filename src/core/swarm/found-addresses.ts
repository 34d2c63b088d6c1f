/** What has been reported already: addresses come again and again, and strangers may send any number of new ones. */
import type { InfoHash } from '../ids.ts';
import type { PeerAddress, Via } from './peer-address.ts';

/** An address is not reported again for the same torrent within this time, in milliseconds. */
export const AGAIN_MS = 25_000;
/** Different addresses that one kind of source may report in a minute, all torrents together. */
export const PER_MINUTE = 300;
/** Reports remembered; beyond it the oldest are forgotten. */
const REMEMBERED = 16_384;

export class FoundAddresses {
  /** When each torrent, source and address was last reported; in the order of reports. */
  readonly #reported = new Map<string, number>();
  readonly #minutes = new Map<Via, { since: number; readonly addresses: Set<string> }>();

  /** Those of `addresses` that are to be reported now, each once. */
  fresh(torrent: InfoHash, via: Via, addresses: readonly PeerAddress[], now: number): PeerAddress[] {
    return addresses.filter(({ host, port }) => {
      const key = `${torrent} ${via} ${host} ${port}`;
      const last = this.#reported.get(key);
      if (last !== undefined && now - last < AGAIN_MS) return false;
      if (via !== 'fixed' && !this.#spend(via, `${host} ${port}`, now)) return false;
      this.#reported.delete(key);
      this.#reported.set(key, now);
      if (this.#reported.size > REMEMBERED) this.#forgetOldest();
      return true;
    });
  }

  #spend(via: Via, address: string, now: number): boolean {
    let minute = this.#minutes.get(via);
    if (minute === undefined || now - minute.since >= 60_000) {
      minute = { since: now, addresses: new Set() };
      this.#minutes.set(via, minute);
    }
    if (minute.addresses.size >= PER_MINUTE) return minute.addresses.has(address);
    minute.addresses.add(address);
    return true;
  }

  #forgetOldest(): void {
    for (const key of this.#reported.keys()) {
      this.#reported.delete(key);
      return;
    }
  }
}

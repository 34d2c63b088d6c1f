/**
 * When which torrents are announced on the local network: a new one at once, after 2 s and after 10 s, in case datagrams
 * are lost or the other side is just starting; then all of them every 5 minutes. A torrent that comes and goes is not
 * announced more often than that: its times are remembered for a while. Pure.
 */
import type { InfoHash } from '../../core/ids.ts';

/** After the first announcement, in milliseconds. */
const REPEATS_MS = [2_000, 10_000] as const;
export const ROUND_MS = 300_000;
/** Torrents that become known within this time go into one datagram. */
export const GATHER_MS = 200;
/** A torrent that is new again within this time gets no first announcements again (BEP 14: one a minute). */
const FORGET_MS = 60_000;
const REMEMBERED = 1024;

interface Entry {
  wanted: boolean;
  due: number;
  /** Announcements so far, counting up to the regular ones. */
  count: number;
  last: number;
}

export class LanSchedule {
  readonly #entries = new Map<InfoHash, Entry>();

  /** Whole state. */
  set(ids: readonly InfoHash[], now: number): void {
    const wanted = new Set(ids);
    for (const [id, entry] of this.#entries) {
      entry.wanted = wanted.has(id);
      if (!entry.wanted && (now - entry.last >= FORGET_MS || this.#entries.size > REMEMBERED)) this.#entries.delete(id);
    }
    for (const id of wanted) {
      if (!this.#entries.has(id)) this.#entries.set(id, { wanted: true, due: now + GATHER_MS, count: 0, last: now });
    }
  }

  /** There are others to hear it now: all is announced as if it were new, a minute after the last time at the earliest. */
  renew(now: number): void {
    for (const entry of this.#entries.values()) {
      // They hear the repeats that are still to come, at least.
      if (entry.count <= REPEATS_MS.length) continue;
      entry.due = Math.min(entry.due, Math.max(now, entry.last + FORGET_MS));
      entry.count = 0;
    }
  }

  /** When something is due next; undefined when there is nothing to announce. */
  next(): number | undefined {
    let next: number | undefined;
    for (const { wanted, due } of this.#entries.values()) {
      if (wanted && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /**
   * Torrents to announce now; plans when they are next.
   *
   * @param round milliseconds until the next regular announcement, with jitter.
   */
  take(now: number, round: number): InfoHash[] {
    const taken: InfoHash[] = [];
    for (const [id, entry] of this.#entries) {
      if (!entry.wanted || entry.due > now + GATHER_MS) continue;
      taken.push(id);
      const repeat = REPEATS_MS[entry.count];
      entry.due = now + (repeat === undefined ? round : repeat - (REPEATS_MS[entry.count - 1] ?? 0));
      entry.count += 1;
      entry.last = now;
    }
    return taken;
  }
}

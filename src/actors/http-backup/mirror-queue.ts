/**
 * Jobs waiting for one of a mirror's connections, with a bound. They are served in turn, but a file of which nothing is
 * under way comes before further ranges of others, so that each has one connection before any has two. When places are
 * not given back, as slow mirrors and large files keep them, such a file gets a connection beyond the limit, as it would
 * have without this daemon: APT gives up after 30 s without a byte. A mirror that refuses one of several connections gets
 * one less for a while: many let an address have few at once (refused-file.ts tells that from files that it refuses).
 */
import { DebtorrentError } from '../../core/errors.ts';
import { RefusedFile } from './refused-file.ts';

interface Waiting {
  group: string;
  readonly file: string;
  /** Looks taken when it came. */
  readonly since: number;
  start(place: Place): void;
  cancel(error: Error): void;
}

/** What a job has got: it may use one connection. */
export interface Place {
  /** It is one beyond the limit. */
  readonly beyond: boolean;
  /** It counts for that group from now on. */
  regroup(group: string): void;
  /** The mirror sends what was asked for. */
  served(): void;
  /**
   * The mirror has refused the connection, or with `answered` the file; true when it serves others, so that it makes
   * sense to wait for another place.
   */
  refused(answered: boolean): boolean;
  /** The connection is free again. */
  leave(): void;
}

/** Connections to one mirror beyond the limit at most. */
export const MOST_BEYOND = 60;
/** So often it is looked whether jobs wait in vain, in milliseconds. What a busy thread missed does not count. */
const LOOK_MS = 500;
/** Looks without a place for any file that has none, after which a quarter of these get one beyond the limit. */
const STILL_LOOKS = 2;
/** Looks after which one gets it in any case. */
const MOST_LOOKS = 16;
/** Looks for which a mirror that has refused a connection is asked over no more than it took. */
const REFUSED_LOOKS = 120;
/** A mirror that began to serve a job so many milliseconds ago is not out of order. */
const SERVES_MS = 30_000;

export class MirrorQueue {
  readonly #limit: number;
  /** Jobs that the mirror lets run at once, as far as it has shown. */
  #allowed: number;
  /** When it began to serve one last, by the clock of `performance`. */
  #servedAt = Number.NEGATIVE_INFINITY;
  /** Looks taken when it refused one last. */
  #refusedAt = Number.NEGATIVE_INFINITY;
  readonly #refusedFile = new RefusedFile();
  readonly #maxWaiting: number;
  /** In order of their numbers, so that what comes again has kept its turn. */
  #waiting = new Map<number, Waiting>();
  /** Jobs under way of each group. */
  readonly #groups = new Map<string, number>();
  #lastId = 0;
  #running = 0;
  #beyond = 0;
  #looks = 0;
  /** Looks taken when a place was last given to a group that had none. */
  #given = 0;
  #looking = false;

  /** @param limit jobs that run at once. @param maxWaiting jobs that wait at most; more are refused (OVERLOADED). */
  constructor(limit: number, maxWaiting = 4096) {
    this.#limit = limit;
    this.#allowed = limit;
    this.#maxWaiting = maxWaiting;
  }

  get idle(): boolean {
    return this.#running + this.#beyond + this.#waiting.size === 0;
  }

  /**
   * Resolves when a place is free, or one beyond the limit is given. Rejects with CANCELLED when `cancel(id)` comes
   * first. Of each `group`, a file or what is to be treated as one, something should be under way. Numbers of jobs tell
   * which came first.
   */
  async enter(id: number, group: string, file = group): Promise<Place> {
    if (this.#running < this.#allowed && !this.#refusedFile.holds(file)) {
      this.#running += 1;
      return this.#place(group, file, false);
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new DebtorrentError('OVERLOADED', 'too many requests wait for this mirror');
    }
    if (!this.#looking) this.#lookLater();
    const place = new Promise<Place>((start, cancel) => {
      this.#waiting.set(id, { group, file, since: this.#looks, start, cancel });
    });
    if (id < this.#lastId) this.#waiting = new Map([...this.#waiting].toSorted(([a], [b]) => a - b));
    this.#lastId = Math.max(id, this.#lastId);
    return place;
  }

  /** If it waits here, it does so for that group from now on. */
  regroup(id: number, group: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) waiting.group = group;
  }

  cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel(new DebtorrentError('CANCELLED', 'the job was cancelled'));
  }

  /** The place goes from one job to the next without becoming free in between. */
  #ended(group: string, beyond: boolean): void {
    this.#count(group, -1);
    const passesOn = beyond ? !this.#refuses : this.#running <= this.#allowed;
    for (const [id, waiting] of passesOn ? this.#waiting : []) {
      if (this.#groups.has(waiting.group) || this.#refusedFile.holds(waiting.file)) continue;
      this.#given = this.#looks;
      this.#start(id, waiting, beyond);
      return;
    }
    if (beyond) this.#beyond -= 1;
    else this.#running -= 1;
    if (this.#running + this.#beyond === 0) this.#refusedFile.alone();
    this.#fill();
  }

  #start(id: number, waiting: Waiting, beyond: boolean): void {
    this.#waiting.delete(id);
    waiting.start(this.#place(waiting.group, waiting.file, beyond));
  }

  #place(from: string, file: string, beyond: boolean): Place {
    let group = from;
    let left = false;
    let serves = false;
    this.#count(group, 1);
    return {
      beyond,
      regroup: (to) => {
        if (left) return;
        this.#count(group, -1);
        group = to;
        this.#count(group, 1);
      },
      served: () => {
        this.#servedAt = performance.now();
        if (!serves) this.#refusedFile.served(file);
        serves = true;
        this.#fill();
      },
      refused: (answered) => this.#refused(beyond, answered ? file : undefined),
      leave: () => {
        if (left) return;
        left = true;
        if (serves) this.#refusedFile.ended(file);
        this.#ended(group, beyond);
      },
    };
  }

  get #refuses(): boolean {
    return this.#looks - this.#refusedAt < REFUSED_LOOKS;
  }

  #refused(beyond: boolean, file: string | undefined): boolean {
    if (this.#running + this.#beyond <= 1 || performance.now() - this.#servedAt > SERVES_MS) return false;
    const refusal = file === undefined ? 'connections' : this.#refusedFile.refused(file, this.#refuses);
    if (refusal !== 'connections') return refusal === 'wait';
    this.#refusedAt = this.#looks;
    if (!beyond) this.#allowed = Math.max(1, Math.min(this.#allowed, this.#running) - 1);
    return true;
  }

  #count(group: string, by: number): void {
    const running = (this.#groups.get(group) ?? 0) + by;
    if (running === 0) this.#groups.delete(group);
    else this.#groups.set(group, running);
  }

  #lookLater(): void {
    this.#looking = true;
    setTimeout(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    this.#looks += 1;
    this.#looking = false;
    if (this.#waiting.size > 0) this.#lookLater();
    if (!this.#refuses) this.#allowed = this.#limit;
    // Also what was held back, of which nobody else says that its time is over.
    this.#fill();
    if (this.#refuses) return;
    const still = this.#looks - this.#given >= STILL_LOOKS;
    const starved = [...this.#starved()];
    let share = still ? Math.ceil(starved.length / 4) : 0;
    for (const [id, waiting] of starved) {
      if (this.#beyond >= MOST_BEYOND) return;
      if (share <= 0 && this.#looks - waiting.since < MOST_LOOKS) continue;
      share -= 1;
      this.#beyond += 1;
      this.#start(id, waiting, true);
    }
  }

  /** Starts what may run. */
  #fill(): void {
    for (const [id, waiting] of this.#waiting) {
      if (this.#running >= this.#allowed) return;
      if (this.#refusedFile.holds(waiting.file)) continue;
      this.#running += 1;
      this.#start(id, waiting, false);
    }
  }

  /** The first of each group of which nothing is under way, if it has waited for a while. */
  *#starved(): Generator<readonly [number, Waiting]> {
    const seen = new Set<string>();
    for (const entry of this.#waiting) {
      const { group, file, since } = entry[1];
      if (this.#looks - since < STILL_LOOKS || this.#groups.has(group) || seen.has(group)) continue;
      if (this.#refusedFile.holds(file)) continue;
      seen.add(group);
      yield entry;
    }
  }
}

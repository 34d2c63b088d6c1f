/**
 * What the daemon has moved over time: a rate for each step of the last minutes, sums for hours and days, and sums since
 * the beginning, which outlive the process. Pure; counters come in, sums come out, and each list has a bound.
 */

/** Bytes, but for requests. */
export interface Moved {
  /** Sent to clients, from wherever. */
  readonly served: number;
  /** Sent to clients out of the cache. */
  readonly cache: number;
  readonly peers: number;
  readonly mirror: number;
  readonly uploaded: number;
  readonly requests: number;
}

/** Sums over [at, next), milliseconds since the epoch. */
export interface Span extends Moved {
  readonly at: number;
}

/** Bytes a second in the `seconds` before `at`. */
export interface Step extends Moved {
  readonly at: number;
  readonly seconds: number;
}

export interface SavedHistory {
  readonly since: number;
  readonly lifetime: Moved;
  readonly hours: readonly Span[];
  readonly days: readonly Span[];
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
/** Ten minutes in steps of five seconds. */
export const MAX_STEPS = 120;
export const STEP_MS = 5_000;
export const MAX_HOURS = 48;
export const MAX_DAYS = 90;

const KEYS = ['served', 'cache', 'peers', 'mirror', 'uploaded', 'requests'] as const;
export const NOTHING: Moved = { served: 0, cache: 0, peers: 0, mirror: 0, uploaded: 0, requests: 0 };

export class History {
  #since: number;
  #lifetime: Moved;
  #hours: Span[];
  #days: Span[];
  #steps: Step[] = [];
  #counters: Moved = NOTHING;
  #sampledAt: number;

  /** Counters start at zero when it is made. */
  constructor(now: number, saved?: SavedHistory) {
    this.#since = saved?.since ?? now;
    this.#lifetime = saved?.lifetime ?? NOTHING;
    // A clock that was wrong must not leave spans that no later one can follow.
    const past = (spans: readonly Span[] = []) => spans.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.#hours = past(saved?.hours).slice(-MAX_HOURS);
    this.#days = past(saved?.days).slice(-MAX_DAYS);
    this.#sampledAt = now;
  }

  /** @param counters since whoever counts has started; one that has become smaller was started again. */
  sample(counters: Moved, now: number): void {
    const moved = map((key) => since(this.#counters[key], counters[key]));
    this.#counters = counters;
    const seconds = (now - this.#sampledAt) / 1000;
    this.#sampledAt = now;
    if (seconds > 0) {
      this.#steps.push({ ...map((key) => moved[key] / seconds), at: now, seconds });
      if (this.#steps.length > MAX_STEPS) this.#steps.shift();
    }
    if (KEYS.every((key) => moved[key] === 0)) return;
    this.#lifetime = add(this.#lifetime, moved);
    note(this.#hours, HOUR_MS, MAX_HOURS, moved, now);
    note(this.#days, DAY_MS, MAX_DAYS, moved, now);
  }

  /** What has been moved since the last sample counts too: figures of one page must agree. */
  lifetime(counters: Moved): Moved {
    return add(
      this.#lifetime,
      map((key) => since(this.#counters[key], counters[key])),
    );
  }

  /** Milliseconds since the epoch. */
  get since(): number {
    return this.#since;
  }

  /** Oldest first. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** The last `count` hours, oldest first, those in which nothing happened as well. */
  hours(count: number, now: number): Span[] {
    return filled(this.#hours, HOUR_MS, count, now);
  }

  /** Days in UTC. */
  days(count: number, now: number): Span[] {
    return filled(this.#days, DAY_MS, count, now);
  }

  toSave(): SavedHistory {
    return { since: this.#since, lifetime: this.#lifetime, hours: this.#hours, days: this.#days };
  }
}

/** What no mirror had to send. Clients that shared one download are not counted, so it is rather too little. */
export function saved(moved: Pick<Moved, 'cache' | 'peers'>): number {
  return moved.cache + moved.peers;
}

function since(before: number, now: number): number {
  return now >= before ? now - before : now;
}

function map(value: (key: keyof Moved) => number): Moved {
  return Object.fromEntries(KEYS.map((key) => [key, value(key)])) as unknown as Moved;
}

function add(one: Moved, other: Moved): Moved {
  return map((key) => one[key] + other[key]);
}

function note(spans: Span[], length: number, most: number, moved: Moved, now: number): void {
  const at = Math.floor(now / length) * length;
  const last = spans.at(-1);
  // A clock that was put back adds to the newest span.
  if (last !== undefined && at <= last.at) spans[spans.length - 1] = { ...add(last, moved), at: last.at };
  else spans.push({ ...moved, at });
  if (spans.length > most) spans.shift();
}

function filled(spans: readonly Span[], length: number, count: number, now: number): Span[] {
  const last = Math.floor(now / length) * length;
  const known = new Map(spans.map((span) => [span.at, span]));
  return Array.from({ length: count }, (_, index) => {
    const at = last - (count - 1 - index) * length;
    return known.get(at) ?? { ...NOTHING, at };
  });
}

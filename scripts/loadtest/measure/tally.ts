/** What clients have seen: counts and latencies, in total and second by second. One in each thread; they add up. */
import type { RecordableHistogram } from 'node:perf_hooks';
import type { Timing } from '../client/apt-fetcher.ts';
import type { UserObserver } from '../client/apt-user.ts';
import { createLatencies, record } from './latency.ts';

export interface Counts {
  /** Bytes of bodies that arrived. */
  received: number;
  /** Bytes of files that were whole and right. */
  verified: number;
  fetched: number;
  notModified: number;
  sessionsDone: number;
  sessionsLeft: number;
  sessionsFailed: number;
  /** Clients in a session at this moment. */
  active: number;
  /** Files that a client did not get, by what went wrong. */
  errors: Record<string, number>;
  /** What went wrong and did not show, by what it was. */
  retries: Record<string, number>;
}

export interface Latencies {
  /** Of packages. */
  readonly firstByte: RecordableHistogram;
  /** The same of Release files and indexes alone. */
  readonly listsFirstByte: RecordableHistogram;
  /** Of everything. */
  readonly complete: RecordableHistogram;
  readonly sinceSent: RecordableHistogram;
  readonly session: RecordableHistogram;
}

/** The last second. */
export interface Tick {
  readonly received: number;
  readonly fetched: number;
  readonly errors: number;
  readonly retries: number;
  readonly active: number;
  readonly firstByte: RecordableHistogram;
}

/** Failed files that are named in the report. */
const EXAMPLES = 20;

export class Tally implements UserObserver {
  readonly counts: Counts = {
    received: 0,
    verified: 0,
    fetched: 0,
    notModified: 0,
    sessionsDone: 0,
    sessionsLeft: 0,
    sessionsFailed: 0,
    active: 0,
    errors: {},
    retries: {},
  };
  readonly latencies: Latencies = {
    firstByte: createLatencies(),
    listsFirstByte: createLatencies(),
    complete: createLatencies(),
    sinceSent: createLatencies(),
    session: createLatencies(),
  };
  readonly examples: string[] = [];
  #tick = { received: 0, fetched: 0, errors: 0, retries: 0, firstByte: createLatencies(2) };

  received(bytes: number): void {
    this.counts.received += bytes;
    this.#tick.received += bytes;
  }

  fetched({ bytes, kind, firstByteMs, completeMs, sinceSentMs }: Timing): void {
    this.counts.verified += bytes;
    if (kind === 'release' && bytes === 0) this.counts.notModified += 1;
    else this.counts.fetched += 1;
    this.#tick.fetched += 1;
    record(kind === 'package' ? this.latencies.firstByte : this.latencies.listsFirstByte, firstByteMs);
    record(this.latencies.complete, completeMs);
    record(this.latencies.sinceSent, sinceSentMs);
    record(this.#tick.firstByte, firstByteMs);
  }

  /** Files that came without a word about when. */
  downloaded(files: number, bytes: number): void {
    this.received(bytes);
    this.counts.verified += bytes;
    this.counts.fetched += files;
    this.#tick.fetched += files;
  }

  retried(code: string): void {
    this.counts.retries[code] = (this.counts.retries[code] ?? 0) + 1;
    this.#tick.retries += 1;
  }

  failed(code: string, path: string): void {
    this.counts.errors[code] = (this.counts.errors[code] ?? 0) + 1;
    this.#tick.errors += 1;
    if (this.examples.length < EXAMPLES) this.examples.push(`${code} ${path}`);
  }

  active(delta: 1 | -1): void {
    this.counts.active += delta;
  }

  sessionDone(ms: number): void {
    this.counts.sessionsDone += 1;
    record(this.latencies.session, ms);
  }

  sessionLeft(): void {
    this.counts.sessionsLeft += 1;
  }

  sessionFailed(): void {
    this.counts.sessionsFailed += 1;
  }

  /** What happened since the last call. */
  takeTick(): Tick {
    const tick = { ...this.#tick, active: this.counts.active };
    this.#tick = { received: 0, fetched: 0, errors: 0, retries: 0, firstByte: createLatencies(2) };
    return tick;
  }
}

/** Adds one thread's counts to another's. */
export function addCounts(to: Counts, from: Counts): void {
  for (const key of Object.keys(from) as (keyof Counts)[]) {
    if (key === 'errors' || key === 'retries') {
      for (const [code, count] of Object.entries(from[key])) to[key][code] = (to[key][code] ?? 0) + count;
    } else to[key] += from[key];
  }
}

export function addLatencies(to: Latencies, from: Latencies): void {
  for (const key of Object.keys(to) as (keyof Latencies)[]) {
    // nothing can be added of one that holds nothing
    if (from[key].count > 0) to[key].add(from[key]);
  }
}

/**
 * Readers of one file at several places: each gets bytes about as soon as it would by itself. As long as somebody waits
 * it is looked whether what he needs next comes; if not, a request to the mirror is given up for it. What that has
 * brought stays, so an end of a connection is all that it costs.
 */
import type { Clock } from '../../core/clock.ts';
import type { RangeSet } from '../../core/range-set.ts';
import type { Content } from './content.ts';
import type { JobId } from '../source.ts';
import type { RunningMirrorJob } from './jobs.ts';

const LOOK_MS = 250;
/** What is asked for comes late if it takes longer than this at the request's pace, in milliseconds. */
const LATE_MS = 1_000;
/** A request that brings what another reader needs next goes on for this time, in milliseconds. */
const TURN_MS = 2_000;

export interface TurnsDeps {
  readonly clock: Clock;
  readonly content: Content;
  readonly mirror: {
    /** Requests for ranges that were not given up; undefined when no further ones can be made now. */
    readonly ranged: readonly RunningMirrorJob[] | undefined;
    readonly jobs: { cancel(id: JobId): void };
    /** The byte is there, or to come from elsewhere. */
    takes(position: number): boolean;
  };
  /** Where they wait. */
  readers(): readonly number[];
  /** Something may be asked for. */
  ready(): void;
}

export class Turns {
  readonly #deps: TurnsDeps;
  #timer: { clear(): void } | undefined;

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  /** Somebody waits for bytes. */
  watch(): void {
    this.#timer ??= this.#deps.clock.setTimeout(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const { readers, mirror, ready } = this.#deps;
    if (readers().length === 0) return;
    this.watch();
    if (this.#inVain() === undefined) return;
    ready();
    const id = this.#inVain();
    if (id !== undefined && id !== 'nobody') mirror.jobs.cancel(id);
  }

  /** The request to give up, or `nobody`, if somebody waits for what does not come; undefined when nobody does. */
  #inVain(): JobId | 'nobody' | undefined {
    const { readers, mirror, content } = this.#deps;
    const jobs = mirror.ranged;
    if (jobs === undefined) return undefined;
    const waiting = readers();
    for (const position of waiting) {
      if (!content.have.covers(position, position + 1) && !mirror.takes(position)) {
        const way = wayFor(position, waiting, content.have, jobs);
        if (way !== undefined) return way;
      }
    }
    return undefined;
  }
}

/**
 * Which request to give up so that the missing byte at `position` comes soon. Pure.
 * @param readers all who wait. @returns undefined when it comes soon
 */
export function wayFor(
  position: number,
  readers: readonly number[],
  have: RangeSet,
  jobs: readonly RunningMirrorJob[],
): JobId | 'nobody' | undefined {
  const its = jobs.find((job) => includes(job, position));
  if (its !== undefined) return comesLate(its, position) ? its.id : undefined;
  const needed = new Set(readers.map((reader) => jobs.find((job) => includes(job, have.contiguousEnd(reader)))));
  // What is furthest behind somebody's place is needed last.
  const [idle] = jobs.filter((job) => !needed.has(job)).toSorted((a, b) => b.start - a.start);
  if (idle !== undefined) return idle.id;
  const [longest] = jobs.filter(({ ms }) => ms >= TURN_MS).toSorted((a, b) => b.ms - a.ms);
  return longest?.id ?? 'nobody';
}

function includes({ start, end = Infinity }: RunningMirrorJob, position: number): boolean {
  return start <= position && position < end;
}

/** Others' bytes come before it, and these are many. Of one that has no pace yet nobody knows. */
function comesLate({ start, bytes, ms }: RunningMirrorJob, position: number): boolean {
  const before = position - start - bytes;
  return bytes > 0 && ms >= LOOK_MS && before * ms > LATE_MS * bytes;
}

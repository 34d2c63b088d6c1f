/**
 * What came from mirrors in one transfer, and what peers are told of it and of what is on its way from there: at once when
 * other pieces are taken, otherwise now and then. The state is read when it is told, so no more is made of it than is told.
 */
import type { Clock } from '../../core/clock.ts';
import { RangeSet, type ByteRange } from '../../core/range-set.ts';
import type { Ranges, WantId } from '../swarm/protocol.ts';
import type { PeersRef } from './peer-directory.ts';
import { union, without } from './source-plan.ts';

/** What has come meanwhile is told at most this often, in milliseconds. */
const EVERY_MS = 100;

export interface MirrorReportDeps {
  readonly peers: PeersRef;
  readonly clock: Clock;
  /** Of this transfer; undefined as long as nobody is told anything. */
  want(): WantId | undefined;
  /** Under way at mirrors. */
  fetching(): readonly ByteRange[];
  /** What peers wrote to as well: nobody vouches for it. */
  contested(): readonly ByteRange[];
}

export class MirrorReport {
  readonly #deps: MirrorReportDeps;
  #mirrored: RangeSet;
  #told = '[]';
  #timer: { clear(): void } | undefined;

  /** @param mirrored what came from mirrors until now */
  constructor(deps: MirrorReportDeps, mirrored: RangeSet) {
    this.#deps = deps;
    this.#mirrored = mirrored;
  }

  /** Bytes have come from a mirror. */
  wrote(start: number, end: number): void {
    this.#mirrored.add(start, end);
    this.#soon();
  }

  /** What came is void, or is written over: nobody else is to take it meanwhile. */
  forget(): void {
    this.#mirrored = new RangeSet();
    this.#soon();
  }

  /** Jobs may have begun or ended. */
  jobsChanged(): void {
    if (this.#deps.want() === undefined) return;
    const fetching = pairs(this.#deps.fetching());
    const text = JSON.stringify(fetching);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell(fetching);
  }

  /**
   * The transfer is over. What came last of a file that is right is told before that: of a small one it is all, and
   * without it the file would pass for one that came from a peer, and be offered only when those who have left it to this
   * machine have given it up.
   */
  end(verified: boolean): void {
    if (verified && this.#timer !== undefined) this.#tell(pairs(this.#deps.fetching()));
    this.#stop();
  }

  #stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #soon(): void {
    if (this.#deps.want() === undefined) return;
    this.#timer ??= this.#deps.clock.setTimeout(() => this.#tell(pairs(this.#deps.fetching())), EVERY_MS);
  }

  #tell(fetching: Ranges): void {
    this.#stop();
    const { peers, want, contested } = this.#deps;
    const id = want();
    if (id === undefined) return;
    const own = union(without(this.#mirrored.ranges, union(contested())));
    peers.tell('mirrored', id, fetching, own.toJSON());
  }
}

function pairs(ranges: readonly ByteRange[]): Ranges {
  return ranges.toSorted((a, b) => a.start - b.start).map(({ start, end }) => [start, end] as const);
}

/**
 * One range at a time that a mirror fetches as well as peers, since it is needed soonest: whoever is first wins, few
 * bytes come twice, and nobody reads the range before only one can write to it.
 */
import type { RangeSet, ByteRange } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';
import type { JobId } from '../source.ts';
import type { Content } from './content.ts';
import { hedgeStep } from './hedge-step.ts';
import type { MirrorSide } from './mirror-side.ts';
import type { RunningPeerJob } from './peer-jobs.ts';
import { stalledLooks } from './peer-pace.ts';
import type { PeerSide } from './peer-side.ts';

export interface HedgeDeps {
  readonly content: Content;
  readonly focus: number;
  readonly mirror: MirrorSide;
  readonly peers: PeerSide;
  /** Bytes that were there can be read now. */
  released(): void;
}

interface Both {
  readonly range: ByteRange;
  readonly peerJob: JobId;
  mirrorJob: JobId | undefined;
}

export class Hedge {
  readonly #deps: HedgeDeps;
  #both: Both | undefined;
  /** What both wrote to: nobody can be blamed for it, and nobody vouches for it. */
  #contested: ByteRange[] = [];

  constructor(deps: HedgeDeps) {
    this.#deps = deps;
  }

  /** There is such a range. */
  get open(): boolean {
    return this.#both !== undefined;
  }

  /** It fetches what a peer fetches too. */
  is(mirrorJob: JobId): boolean {
    return this.#both?.mirrorJob === mirrorJob;
  }

  get contested(): readonly ByteRange[] {
    return this.#contested;
  }

  /** Has the mirror fetch what is needed soonest of a peer job. */
  begin({ job, cancelled }: RunningPeerJob): void {
    const { content, focus, mirror } = this.#deps;
    const both = this.#both;
    if (both !== undefined) {
      // The mirror failed before: once more, for the same range.
      const runs = both.mirrorJob !== undefined && mirror.jobs.has(both.mirrorJob);
      const [gap] = content.have.missing(both.range.start, both.range.end);
      if (!runs && gap !== undefined) both.mirrorJob = mirror.fetch(gap);
      return;
    }
    const start = frontier(content.have, content.size ?? 0, focus);
    if (start === undefined || cancelled) return;
    // Not what the peers have sent of the rest: somebody may have read that, and would not know that it was written over.
    const [range] = content.have.missing(start, Math.min(start + PIECE_BYTES, job.end));
    const mirrorJob = range && mirror.fetch(range);
    if (range === undefined || mirrorJob === undefined) return;
    this.#both = { range, peerJob: job.id, mirrorJob };
    this.#contested.push(range);
    content.hold = range;
  }

  /** Does what follows from bytes that came or jobs that ended. */
  settle(): void {
    const both = this.#both;
    if (both === undefined) return;
    const { content, mirror, peers, released } = this.#deps;
    const { range, peerJob, mirrorJob } = both;
    const own = peers.jobs.get(peerJob)?.own;
    const step = hedgeStep({
      covered: content.have.covers(range.start, range.end),
      mirrorRuns: mirrorJob !== undefined && mirror.jobs.has(mirrorJob),
      mirrorWroteAll: mirrorJob !== undefined && mirror.jobs.wroteAll(mirrorJob),
      peersRun: own !== undefined,
      peersWroteAll: own?.covers(range.start, range.end) === true,
    });
    if (step === 'cancel-peers') {
      // One silence may be an accident; the mirror was quicker and they are still silent.
      if ((peers.jobs.get(peerJob)?.idleLooks ?? 0) > stalledLooks(peers.firstBytesMs)) peers.sitOut();
      peers.jobs.cancel(peerJob);
    }
    if (step === 'cancel-mirror' && mirrorJob !== undefined) mirror.jobs.cancel(mirrorJob);
    if (step !== 'settled') return;
    this.stop();
    released();
  }

  /** All bytes are thrown away. */
  reset(): void {
    this.stop();
    this.#contested = [];
  }

  /** Nobody writes any more. */
  stop(): void {
    this.#both = undefined;
    this.#deps.content.hold = undefined;
  }
}

/** The first byte that is missing, from `focus` on, or else before it. */
export function frontier(have: RangeSet, size: number, focus: number): number | undefined {
  const from = Math.min(focus, size);
  return (have.missing(from, size)[0] ?? have.missing(0, from)[0])?.start;
}

/**
 * Peers that are slow are not waited for: a mirror takes the range that is needed soonest as well, and whoever is first
 * wins. One range at a time, so few bytes come twice; nobody reads it before only one can write to it.
 */
import type { Clock } from '../../core/clock.ts';
import type { RangeSet, ByteRange } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';
import type { JobId } from '../source.ts';
import type { Content } from './content.ts';
import { hedgeStep } from './hedge-step.ts';
import type { MirrorSide } from './mirror-side.ts';
import type { RunningPeerJob } from './peer-jobs.ts';
import { SOON_MS } from './outpaced.ts';
import { PeerPace, SLOW_MS, stalledMs } from './peer-pace.ts';
import type { PeerSide } from './peer-side.ts';

export interface HedgingDeps {
  readonly clock: Clock;
  readonly content: Content;
  readonly focus: number;
  readonly mirror: MirrorSide;
  readonly peers: PeerSide;
  /** Peers became slow, or are no longer. */
  changed(): void;
  /** Bytes that were there can be read now. */
  released(): void;
}

interface Hedge {
  readonly range: ByteRange;
  readonly peerJob: JobId;
  mirrorJob: JobId | undefined;
}

const TICK_MS = 100;
/** Counted in looks, not by the clock: a thread that was busy itself has not heard what came meanwhile. */
const SLOW_LOOKS = SLOW_MS / TICK_MS;
/**
 * Machines that want the same have the mirror's line between them, and peers that all of them ask for the same: while
 * something else of the file comes from these, what is needed soonest is waited for so many times as long.
 */
const TOGETHER_TIMES = 4;
/** A mirror of which nothing is known is tried out when peers will take longer, and once more so much later, doubling. */
const PROBE_MS = 2_000;

export class Hedging {
  readonly #deps: HedgingDeps;
  readonly #pace = new PeerPace();
  #hedge: Hedge | undefined;
  #timer: { clear(): void } | undefined;
  #slow = false;
  #probeAt = 0;
  #probeMs = PROBE_MS;
  /** Looks in a row at which what is needed soonest was to come from peers. */
  #lasts = 0;
  /** What both wrote to: nobody can be blamed for it, and nobody vouches for it. */
  #contested: ByteRange[] = [];

  constructor(deps: HedgingDeps) {
    this.#deps = deps;
  }

  get slow(): boolean {
    return this.#slow;
  }

  /** And nobody else wants the file: peers are asked for little at a time, and a mirror for the rest. */
  get outrun(): boolean {
    return this.#slow && this.#deps.peers.offered.alone;
  }

  /** It fetches what a peer fetches too. */
  isHedge(mirrorJob: JobId): boolean {
    return this.#hedge?.mirrorJob === mirrorJob;
  }

  get contested(): readonly ByteRange[] {
    return this.#contested;
  }

  /** Peers may have been asked for something: looks after them until they have nothing to do. */
  watch(): void {
    if (this.#timer !== undefined || this.#deps.peers.jobs.count === 0) return;
    this.#timer = this.#deps.clock.setTimeout(() => this.#tick(), TICK_MS);
  }

  get #stalledLooks(): number {
    return stalledMs(this.#deps.peers.firstBytesMs) / TICK_MS;
  }

  /** Looks without a byte of what is needed soonest until the mirror is asked for it. */
  get #patientLooks(): number {
    const { offered, jobs } = this.#deps.peers;
    const looks = this.#stalledLooks;
    const coming = offered.wanters > 0 && jobs.all().some(({ idleLooks }) => idleLooks <= looks);
    return coming ? TOGETHER_TIMES * looks : looks;
  }

  /** Does what follows from bytes that came or jobs that ended. */
  settle(): void {
    const hedge = this.#hedge;
    if (hedge === undefined) return;
    const { content, mirror, peers, released } = this.#deps;
    const { range, peerJob, mirrorJob } = hedge;
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
      if ((peers.jobs.get(peerJob)?.idleLooks ?? 0) > this.#stalledLooks) peers.sitOut();
      peers.jobs.cancel(peerJob);
    }
    if (step === 'cancel-mirror' && mirrorJob !== undefined) mirror.jobs.cancel(mirrorJob);
    if (step !== 'settled') return;
    this.#hedge = undefined;
    content.hold = undefined;
    released();
  }

  /** All bytes are thrown away, or nobody writes any more. */
  reset(): void {
    this.stop();
    this.#contested = [];
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#hedge = undefined;
    this.#deps.content.hold = undefined;
    this.#slow = false;
    this.#lasts = 0;
    this.#pace.reset();
  }

  #tick(): void {
    this.#timer = undefined;
    const { clock, content, mirror, peers } = this.#deps;
    const now = clock.now();
    const was = this.#slow;
    if (peers.jobs.count === 0) {
      this.#pace.reset();
      this.#lasts = 0;
      this.#slow = false;
    } else {
      for (const job of peers.jobs.all()) {
        job.looks += 1;
        job.idleLooks += 1;
      }
      this.#pace.sample(now, peers.received);
      const soonest = this.#soonest();
      const stalled = soonest !== undefined && soonest.idleLooks > this.#patientLooks;
      this.#lasts = soonest === undefined ? 0 : this.#lasts + 1;
      // While others are fetching peers give what they get, and that they have no more says nothing.
      const looks = peers.offered.elsewhere.length > 0 ? (soonest?.looks ?? 0) : this.#lasts;
      const lasting = looks > SLOW_LOOKS;
      const rate = peers.offered.alone ? mirror.pace.hoped : mirror.pace.rate;
      this.#slow = (lasting || this.outrun) && this.#pace.slowerThan(rate, peers.offered.wanters);
      if (this.outrun) this.#leaveToMirror(soonest);
      if (soonest !== undefined && (stalled || this.#slow || this.#probes(now))) this.#begin(soonest);
      // A mirror that has only the whole cannot take a part of it.
      if (stalled && mirror.wholeOnly) peers.sitOut();
      if (content.complete) this.#endIdle();
    }
    if (this.#slow || was) this.#deps.changed();
    this.watch();
  }

  /** What peers have not begun with; they go on with what is needed soonest. */
  #leaveToMirror(soonest: RunningPeerJob | undefined): void {
    const { jobs } = this.#deps.peers;
    const going = soonest ?? jobs.all()[0];
    for (const job of jobs.all()) if (job !== going && job.own.bytes === 0) jobs.cancel(job.job.id);
  }

  /** Nobody knows what the mirror would bring, and peers take long: it is tried out on what is needed soonest. */
  #probes(now: number): boolean {
    const { content, mirror, peers } = this.#deps;
    if (mirror.pace.rate !== undefined || mirror.troubled || !peers.offered.alone || this.#hedge !== undefined)
      return false;
    const rate = this.#pace.rate();
    const left = (content.size ?? 0) - content.have.bytes;
    const long = rate === undefined ? left > SOON_MS * (peers.offered.pace ?? Infinity) : left > PROBE_MS * rate;
    if (!long || now < this.#probeAt) return false;
    this.#probeAt = now + this.#probeMs;
    this.#probeMs *= 2;
    return true;
  }

  /** The job that has to bring what is needed soonest; undefined when that comes from elsewhere. */
  #soonest(): RunningPeerJob | undefined {
    const { content, focus, peers } = this.#deps;
    const at = frontier(content.have, content.size ?? 0, focus);
    return peers.jobs.all().find(({ job }) => at !== undefined && job.start <= at && at < job.end);
  }

  #begin({ job, cancelled }: RunningPeerJob): void {
    const { content, focus, mirror } = this.#deps;
    const hedge = this.#hedge;
    if (hedge !== undefined) {
      // The mirror failed before: once more, for the same range.
      const runs = hedge.mirrorJob !== undefined && mirror.jobs.has(hedge.mirrorJob);
      const [gap] = content.have.missing(hedge.range.start, hedge.range.end);
      if (!runs && gap !== undefined) hedge.mirrorJob = mirror.fetch(gap);
      return;
    }
    const start = frontier(content.have, content.size ?? 0, focus);
    if (start === undefined || cancelled) return;
    // Not what the peers have sent of the rest: somebody may have read that, and would not know that it was written over.
    const [range] = content.have.missing(start, Math.min(start + PIECE_BYTES, job.end));
    const mirrorJob = range && mirror.fetch(range);
    if (range === undefined || mirrorJob === undefined) return;
    this.#hedge = { range, peerJob: job.id, mirrorJob };
    this.#contested.push(range);
    content.hold = range;
  }

  /** All is there: whoever does not end by itself has nothing to do any more. */
  #endIdle(): void {
    const { jobs } = this.#deps.peers;
    for (const { job, idleLooks } of jobs.all()) if (idleLooks > this.#stalledLooks) jobs.cancel(job.id);
  }
}

/** The first byte that is missing, from `focus` on, or else before it. */
function frontier(have: RangeSet, size: number, focus: number): number | undefined {
  const from = Math.min(focus, size);
  return (have.missing(from, size)[0] ?? have.missing(0, from)[0])?.start;
}

/**
 * Looks after the peers of one transfer while these fetch something, and says whether they are slow. Slow ones, and those
 * that stall, are not waited for: a mirror takes the range that is needed soonest as well (`hedge.ts`).
 */
import type { Clock } from '../../core/clock.ts';
import type { Content } from './content.ts';
import { frontier, type Hedge } from './hedge.ts';
import type { MirrorSide } from './mirror-side.ts';
import type { RunningPeerJob } from './peer-jobs.ts';
import { SOON_MS } from './outpaced.ts';
import { LOOK_MS, PeerPace, SLOW_MS, stalledLooks } from './peer-pace.ts';
import type { PeerSide } from './peer-side.ts';

export interface PeerWatchDeps {
  readonly clock: Clock;
  readonly content: Content;
  readonly focus: number;
  readonly mirror: MirrorSide;
  readonly peers: PeerSide;
  readonly hedge: Hedge;
  /** Peers became slow, or are no longer. */
  changed(): void;
}

/** Counted in looks, not by the clock: a thread that was busy itself has not heard what came meanwhile. */
const SLOW_LOOKS = SLOW_MS / LOOK_MS;
/**
 * Machines that want the same have the mirror's line between them, and peers that all of them ask for the same: while
 * something else of the file comes from these, what is needed soonest is waited for so many times as long.
 */
const TOGETHER_TIMES = 4;
/** A mirror of which nothing is known is tried out when peers will take longer, and once more so much later, doubling. */
const PROBE_MS = 2_000;

export class PeerWatch {
  readonly #deps: PeerWatchDeps;
  readonly #pace = new PeerPace();
  #timer: { clear(): void } | undefined;
  #slow = false;
  #probeAt = 0;
  #probeMs = PROBE_MS;
  /** Looks in a row at which what is needed soonest was to come from peers. */
  #lasts = 0;

  constructor(deps: PeerWatchDeps) {
    this.#deps = deps;
  }

  get slow(): boolean {
    return this.#slow;
  }

  /** And nobody else wants the file: peers are asked for little at a time, and a mirror for the rest. */
  get outrun(): boolean {
    return this.#slow && this.#deps.peers.offered.alone;
  }

  /** Peers may have been asked for something: looks after them until they have nothing to do. */
  watch(): void {
    if (this.#timer !== undefined || this.#deps.peers.jobs.count === 0) return;
    this.#timer = this.#deps.clock.setTimeout(() => this.#tick(), LOOK_MS);
  }

  /** Looks without a byte of what is needed soonest until the mirror is asked for it. */
  get #patientLooks(): number {
    const { offered, jobs } = this.#deps.peers;
    const looks = stalledLooks(this.#deps.peers.firstBytesMs);
    const coming = offered.wanters > 0 && jobs.all().some(({ idleLooks }) => idleLooks <= looks);
    return coming ? TOGETHER_TIMES * looks : looks;
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#slow = false;
    this.#lasts = 0;
    this.#pace.reset();
  }

  #tick(): void {
    this.#timer = undefined;
    const { clock, content, hedge, mirror, peers } = this.#deps;
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
      if (soonest !== undefined && (stalled || this.#slow || this.#probes(now))) hedge.begin(soonest);
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
    const { content, hedge, mirror, peers } = this.#deps;
    if (mirror.pace.rate !== undefined || mirror.troubled || !peers.offered.alone || hedge.open) return false;
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

  /** All is there: whoever does not end by itself has nothing to do any more. */
  #endIdle(): void {
    const { firstBytesMs, jobs } = this.#deps.peers;
    const most = stalledLooks(firstBytesMs);
    for (const { job, idleLooks } of jobs.all()) if (idleLooks > most) jobs.cancel(job.id);
  }
}

/**
 * Peers and mirrors at work on one file: who takes what, what others are told of it, and who is to blame when the whole
 * turns out wrong.
 */
import { RangeSet } from '../../core/range-set.ts';
import { PIECE_BYTES } from '../../core/swarm/pieces.ts';
import type { JobId } from '../source.ts';
import { Arbitration } from './arbitration.ts';
import type { Content } from './content.ts';
import type { FetchingDeps, FetchingOptions } from './fetching-deps.ts';
import { Hedge } from './hedge.ts';
import { Leaving, leaveRest } from './leaving.ts';
import { MirrorReport } from './mirror-report.ts';
import type { MirrorSide } from './mirror-side.ts';
import { Outpaced } from './outpaced.ts';
import { Patience } from './patience.ts';
import type { PeerDirectory } from './peer-directory.ts';
import { PeerSide } from './peer-side.ts';
import { PeerWatch } from './peer-watch.ts';
import { divide, intersect } from './source-plan.ts';

export interface TogetherHost {
  /** What comes is wanted. */
  readonly active: boolean;
  /** Bytes came, or can be read now that could not before. */
  progressed(): void;
  ready(): void;
  /** Somebody may write to the partial file for ever. */
  lost(): void;
  /** Bytes that readers may have were wrong. */
  spoilt(): void;
}

export type Pumped =
  | 'going'
  /** Neither can bring what is missing. */
  | 'stuck'
  /** It has to come from mirrors alone, from its beginning. */
  | 'conflict';

export interface TogetherDeps extends FetchingDeps {
  readonly directory: PeerDirectory;
}

/** So much of a file comes before it is clear that nobody else wants it at this moment. */
const ALONE_BYTES = 8 * 1024 * 1024;

export class Together {
  readonly #deps: TogetherDeps;
  readonly #content: Content;
  readonly #focus: number;
  readonly #mirror: MirrorSide;
  readonly #host: TogetherHost;
  readonly #peers: PeerSide;
  readonly #hedge: Hedge;
  readonly #watch: PeerWatch;
  readonly #patience: Patience;
  readonly #outpaced: Outpaced;
  readonly #report: MirrorReport;
  #arbitration: Arbitration | undefined;
  /** Others took a part of the file from the mirror. */
  #divided = false;
  readonly #leaving: Leaving;

  constructor(deps: TogetherDeps, { plan, content, focus }: FetchingOptions, mirror: MirrorSide, host: TogetherHost) {
    this.#deps = deps;
    this.#content = content;
    this.#focus = focus;
    this.#mirror = mirror;
    this.#host = host;
    this.#peers = new PeerSide(deps, plan, content, {
      get active() {
        return host.active;
      },
      wrote: () => {
        this.#hedge.settle();
        content.follow('peers');
        host.progressed();
      },
      ready: () => host.ready(),
      lost: () => host.lost(),
    });
    const sides = { content, focus, mirror, peers: this.#peers };
    this.#hedge = new Hedge({
      ...sides,
      released: () => {
        content.follow('peers');
        host.progressed();
      },
    });
    this.#watch = new PeerWatch({ ...sides, clock: deps.clock, hedge: this.#hedge, changed: () => host.ready() });
    this.#report = new MirrorReport(
      {
        peers: deps.directory.ref,
        clock: deps.clock,
        want: () => this.#peers.want,
        fetching: () => mirror.jobs.ranges(content.size ?? 0),
        contested: () => this.#hedge.contested,
      },
      // Until now there were only mirrors, and what an earlier transfer left.
      content.resumed ? new RangeSet() : content.have.clone(),
    );
    const timed = { clock: deps.clock, peers: this.#peers, ready: () => host.ready() };
    this.#leaving = new Leaving(() => deps.directory.tryOut(deps.clock.now()));
    this.#patience = new Patience({ ...timed, content });
    this.#outpaced = new Outpaced({ ...timed, mirror });
  }

  /** Bytes that came from peers. */
  get received(): number {
    return this.#peers.received;
  }

  /** Peer jobs under way. */
  get count(): number {
    return this.#peers.jobs.count;
  }

  /** Peers were asked what they have, and may be asked for it. */
  get open(): boolean {
    return this.#peers.want !== undefined;
  }

  /** Peers had a share in what is there, and who sent what has not been looked into. */
  get suspicious(): boolean {
    return this.#arbitration === undefined && (this.#peers.came.bytes > 0 || this.#hedge.contested.length > 0);
  }

  /** Asks who has the file, if there is anybody to ask; resolves when that is known or takes too long. */
  seek(): Promise<void> | undefined {
    return this.#peers.seek(this.#focus);
  }

  /** Links have come or gone. */
  neighboursChanged(): void {
    if (this.#peers.neighboursLeft()) this.#host.ready();
  }

  /** Starts what makes sense now at both. */
  pump(size: number): Pumped {
    const [peers, mirror] = [this.#peers, this.#mirror];
    const { available, elsewhere, wanters } = peers.offered;
    const outpaced = this.#outpaced.by(size);
    const mayAsk = (!peers.benched && !outpaced) || mirror.exhausted;
    this.#leave(outpaced);
    const { outrun } = this.#watch;
    const { peers: ranges, taken } = divide({
      size,
      have: this.#content.have,
      atMirrors: mirror.jobs.ranges(size),
      atPeers: peers.jobs.ranges,
      available,
      elsewhere,
      focus: this.#focus,
      slots: mayAsk ? Math.min(peers.slots, outrun ? 1 - peers.jobs.count : Infinity) : 0,
      soonestBesides: mayAsk && !outrun,
      ...(outrun && { jobBytes: PIECE_BYTES }),
      mirrorHelps: !mirror.exhausted && (peers.benched || outpaced || this.#watch.slow),
    });
    for (const range of ranges) peers.start(range);
    this.#watch.watch();
    this.#patience.watch();
    if (!taken.covers(0, size)) {
      if (mirror.exhausted) return peers.jobs.count > 0 ? 'going' : 'stuck';
      if (this.conflict) return 'conflict';
      // The mirror has begun, as nobody waits for peers; all but its first piece is left until these have answered.
      if (peers.late) leaveRest(taken, size, mirror.jobs.count > 0 ? undefined : this.#focus);
      // A mirror that is as fast as its line serves eight machines over eight connections better than over 32: some of
      // these crawl, and all wait for what comes over them.
      mirror.pump(taken, {
        align: PIECE_BYTES,
        most: this.#bite(elsewhere.length > 0),
        share: 1 / (wanters + 1),
      });
    }
    this.#report.jobsChanged();
    return 'going';
  }

  /**
   * What is asked of the mirror cannot be left to others any more, so it is asked for piece by piece while others take
   * their part, and at first, when these may not be known yet.
   */
  #bite(divided: boolean): number | undefined {
    this.#divided ||= divided;
    return this.open && (this.#divided || this.#content.have.bytes < ALONE_BYTES) ? PIECE_BYTES : undefined;
  }

  /**
   * Two machines that began with the same before they heard of each other: one of them leaves it to the other, and who
   * is behind takes the rest from who has it.
   */
  #leave(outpaced = this.#outpaced.by(this.#content.size ?? 0)): void {
    const { available, elsewhere, alone, pace } = this.#peers.offered;
    const holders = { available: this.#peers.benched || outpaced || this.#watch.slow ? [] : available, alone, pace };
    if (elsewhere.length === 0 && holders.available.length === 0) return;
    this.#mirror.leave((job) => !this.#hedge.is(job.id) && this.#leaving.leaves(job, elsewhere, holders));
  }

  /** Mirrors give only the whole, which must not be written over bytes of peers: readers may have these. */
  get conflict(): boolean {
    const peers = this.#peers.came.bytes > 0 || this.#peers.jobs.count > 0;
    return peers && this.#mirror.wholeOnly && this.#arbitration === undefined;
  }

  mirrorWrote(start: number, end: number): void {
    this.#report.wrote(start, end);
    if (this.open) this.#leave();
    this.#hedge.settle();
    if (this.#arbitration !== undefined) this.#compare(this.#arbitration);
    else if (this.#peers.came.bytes > 0) this.#content.follow('peers');
  }

  jobWrote(id: JobId, start: number, end: number): void {
    this.#peers.jobWrote(id, start, end);
  }

  drained(): Promise<void> {
    return this.#peers.jobs.drained();
  }

  /** Does what follows from bytes that came or jobs that ended. */
  settle(): void {
    this.#hedge.settle();
  }

  /** All bytes are there, and nobody writes any more. */
  settled(): void {
    this.#watch.stop();
    this.#hedge.stop();
    this.#patience.stop();
    this.#outpaced.stop();
  }

  /** All bytes are thrown away; what is under way is cancelled. */
  restart(): void {
    this.#peers.jobs.cancelAll();
    this.#peers.came = new RangeSet();
    this.#watch.stop();
    this.#hedge.reset();
    this.#patience.stop();
    this.#report.forget();
  }

  /** What came from mirrors is written over: nobody else is to take it meanwhile. */
  overwritten(): void {
    this.#report.forget();
  }

  /** From now on there are only mirrors. */
  leavePeers(): void {
    this.#report.end(false);
    this.#peers.off();
  }

  /**
   * The whole is wrong, and nobody writes to it: finds out who sent what, and has all that peers had a share in come
   * again from mirrors.
   */
  async arbitrate(): Promise<void> {
    const contributions = await this.#peers.contributions();
    this.leavePeers();
    const { path } = this.#content;
    this.#arbitration = await Arbitration.begin(path, contributions, this.#peers.came, this.#hedge.contested);
    this.#content.dispute(this.#arbitration.ranges);
  }

  /** The transfer is over; true when the want was open to its end, so that the swarm knows of the file. */
  over(verified: boolean): boolean {
    this.settled();
    this.#report.end(verified);
    const arbitration = this.#arbitration;
    if (verified) arbitration?.ban(this.#deps);
    // The whole was wrong, and what was to come again may be what was wrong of it.
    else if (arbitration !== undefined && this.#content.gave(arbitration.ranges)) this.#host.spoilt();
    const told = this.#peers.want !== undefined;
    this.#peers.over(verified);
    return told;
  }

  #compare(arbitration: Arbitration): void {
    const differing = arbitration.compare(this.#content.have);
    if (intersect(differing, this.#content.released.ranges).length > 0) this.#host.spoilt();
  }
}

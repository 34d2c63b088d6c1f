/**
 * How the bytes of one transfer come: who is asked for what, when all is there, and when it begins anew. What the bytes
 * are worth, and who waits for them, is the transfer's business.
 */
import type { SourceLabel } from '../../core/fetch-plan.ts';
import { isWhole, type JobId } from '../source.ts';
import { afterPeers, faultOf, type Fault } from './candidates.ts';
import type { Content } from './content.ts';
import type { FetchingDeps, FetchingEvents, FetchingOptions } from './fetching-deps.ts';
import { MirrorSide } from './mirror-side.ts';
import { Overwriting } from './overwriting.ts';
import { PeerSide } from './peer-side.ts';
import { Together } from './together.ts';
import { Turns } from './turns.ts';

/** Times that one file may be begun anew. */
const MAX_RESTARTS = 3;

export class Fetching {
  readonly #events: FetchingEvents;
  readonly #content: Content;
  readonly #mirror: MirrorSide;
  readonly #deps: FetchingDeps;
  readonly #options: FetchingOptions;
  readonly #overwriting: Overwriting;
  readonly #turns: Turns;
  /** Absent as long as there is nobody who could have the file. */
  #together: Together | undefined;
  #state: 'fetching' | 'paused' | 'stopped' = 'paused';
  #restarts = 0;
  /** Peers are being asked what they have. */
  #seeking = false;

  constructor(deps: FetchingDeps, options: FetchingOptions, events: FetchingEvents) {
    this.#deps = deps;
    this.#options = options;
    this.#events = events;
    this.#content = options.content;
    const voided = () => this.#voided();
    this.#overwriting = new Overwriting({ content: this.#content, log: deps.log, url: options.plan.url, voided });
    const isActive = () => this.#state === 'fetching';
    this.#mirror = new MirrorSide(deps, options, {
      get active() {
        return isActive();
      },
      path: () => this.#path(),
      started: () => events.started(),
      wrote: (job, start, end) => {
        this.#together?.mirrorWrote(start, end);
        this.#overwriting.compare();
        if (!isWhole(job)) this.#content.follow('mirrors');
        events.progressed();
      },
      ready: () => this.#pump(),
      anew: (fault) => this.#again(fault),
      restart: () => this.#restart(),
      overwrite: () => this.#overwrite(),
      notModified: (info) => {
        this.#state = 'stopped';
        events.notModified(info);
      },
      end: (fault) => this.#end(fault),
    });
    const turns = { clock: deps.clock, content: this.#content, mirror: this.#mirror, readers: options.readers };
    this.#turns = new Turns({ ...turns, ready: () => this.#pump() });
  }

  /** A reader waits for bytes. */
  awaited(): void {
    if (this.#state === 'fetching') this.#turns.watch();
  }

  /** What mirrors said and sent. */
  get mirror(): Pick<MirrorSide, 'info' | 'sender' | 'received' | 'jobStarted' | 'jobWrote' | 'wanted'> {
    return this.#mirror;
  }

  /** The last that was heard of a mirror was a failure, and nobody else has brought anything. */
  get troubled(): boolean {
    return this.#mirror.troubled && this.fromPeers === 0;
  }

  get fromPeers(): number {
    return this.#together?.received ?? 0;
  }

  /** Where the bytes come from, as far as that is known. */
  get source(): SourceLabel {
    if (this.fromPeers > 0) return this.#mirror.received > 0 ? 'mixed' : 'peers';
    const onlyPeers = (this.#together?.count ?? 0) > 0 && this.#mirror.jobs.count === 0 && this.#mirror.received === 0;
    return onlyPeers ? 'peers' : 'mirror';
  }

  start(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'fetching';
    const answer = this.#seek();
    if (answer === undefined) return this.#pump();
    this.#seeking = true;
    void answer.then(() => {
      this.#seeking = false;
      this.#pump();
    });
  }

  /** Nothing new is asked for, what is under way is cancelled. */
  stop(): void {
    this.#state = 'stopped';
    this.#mirror.stop();
    this.#together?.over(false);
    this.#overwriting.end();
    this.#turns.stop();
  }

  /** The whole is right; true when the swarm knows of it by that. */
  verified(): boolean {
    return this.#together?.over(true) ?? false;
  }

  /** Links to peers have come or gone. */
  neighboursChanged(): void {
    this.#together?.neighboursChanged();
    if (this.#state === 'fetching') void this.#seek()?.then(() => this.#pump());
  }

  /** Resolves when nobody writes to the partial file any more. */
  async drained(): Promise<void> {
    await this.#mirror.jobs.drained();
    await this.#together?.drained();
  }

  /** The whole is not what it should be: mends what peers had a share in, or begins anew without who delivered it. */
  startOver(message: string): void {
    if (this.#together?.suspicious === true) {
      this.#arbitrate(this.#together);
      return;
    }
    const { culprits } = this.#mirror.deliverers;
    const fault: Fault = { code: 'HASH_MISMATCH', message, transient: false };
    if (this.#content.resumed || culprits.length === 0) {
      // Nobody can be blamed yet; the next try starts clean.
      this.#again(fault);
    } else if (this.#mirror.blame(culprits, fault)) {
      this.#restart();
    } else {
      this.#restarted();
      this.#end(fault);
    }
  }

  /** Bytes of peers are in the partial file. */
  peerWrote(id: JobId, start: number, end: number): void {
    this.#together?.jobWrote(id, start, end);
  }

  /** Asks peers for the file, if there are any that were not asked; resolves when it is known who has it. */
  #seek(): Promise<void> | undefined {
    const { plan } = this.#options;
    const { directory } = this.#deps;
    if (this.#together !== undefined) return this.#together.seek();
    if (directory === undefined || !PeerSide.suits(plan) || !directory.near(plan.torrents)) return undefined;
    const events = this.#events;
    const isActive = () => this.#state === 'fetching';
    this.#together = new Together({ ...this.#deps, directory }, this.#options, this.#mirror, {
      get active() {
        return isActive();
      },
      progressed: () => events.progressed(),
      ready: () => this.#pump(),
      lost: () => this.#lost(),
      spoilt: () => this.#voided(),
    });
    return this.#together.seek();
  }

  /** Starts as many jobs as make sense now, or says that all bytes are there. */
  #pump(): void {
    if (this.#state !== 'fetching' || this.#seeking) return;
    const { size, have, complete } = this.#content;
    const together = this.#together;
    together?.settle();
    if (complete) {
      if (this.#mirror.jobs.count > 0 || (together?.count ?? 0) > 0) return;
      this.#state = 'paused';
      together?.settled();
      this.#overwriting.end();
      this.#events.complete(size as number);
    } else if (together?.open === true && size !== undefined) {
      this.#pumpBoth(together, size);
    } else if (this.#mirror.exhausted) {
      this.#exhausted();
    } else if (together?.conflict === true) {
      this.#restart();
    } else if ((together?.count ?? 0) === 0) {
      this.#mirror.pump(have);
    }
  }

  #exhausted(): void {
    this.#end(afterPeers(this.#mirror.verdict(), this.fromPeers));
  }

  #pumpBoth(together: Together, size: number): void {
    switch (together.pump(size)) {
      case 'going':
        break;
      case 'stuck':
        this.#exhausted();
        break;
      case 'conflict':
        together.leavePeers();
        this.#restart();
        break;
    }
  }

  async #path(): Promise<string> {
    if (this.#content.path === '') await this.#content.open(false);
    // Ended meanwhile: whoever ended it did not see the file.
    if (this.#state === 'stopped') this.#content.park();
    return this.#content.path;
  }

  #arbitrate(together: Together): void {
    together.arbitrate().then(
      () => this.start(),
      (error: unknown) => this.#again(faultOf(error)),
    );
  }

  /** Begins anew with another file: somebody may still write to this one. */
  #lost(): void {
    if (this.#state === 'stopped') return;
    this.#deps.log.warn({ url: this.#options.plan.url }, 'peers did not end what was cancelled: the file begins anew');
    this.#content.discard();
    if (this.#state === 'fetching') this.#restart();
  }

  /** Begins anew unless that has been done too often. */
  #again(fault: Fault): void {
    this.#restarts += 1;
    if (this.#restarts <= MAX_RESTARTS) {
      this.#restart();
    } else {
      this.#restarted();
      this.#end(fault);
    }
  }

  /** Throws away all bytes and fetches them again, when who still writes has ended. */
  #restart(): void {
    this.#state = 'paused';
    this.#restarted();
    this.#mirror.jobs.cancelAll();
    this.#together?.restart();
    this.drained()
      .then(() => (this.#state === 'paused' ? this.#content.open(false) : undefined))
      .then(
        () => this.start(),
        (error: unknown) => this.#end(faultOf(error)),
      );
  }

  /** Has all bytes come once more over those that are there. */
  #overwrite(): void {
    this.#state = 'paused';
    this.#together?.overwritten();
    this.#overwriting.begin(this.#mirror.sender).then(
      () => {
        this.#mirror.deliverers.forget();
        this.start();
      },
      () => this.#restart(),
    );
  }

  /** What readers have is not the file. */
  #voided(): void {
    this.#content.newEpoch();
    this.#events.restarted();
  }

  #restarted(): void {
    this.#mirror.forget();
    this.#overwriting.reset();
    this.#content.restart();
    this.#events.restarted();
  }

  #end(fault: Fault): void {
    if (this.#state === 'stopped') return;
    this.stop();
    this.#events.exhausted(fault);
  }
}

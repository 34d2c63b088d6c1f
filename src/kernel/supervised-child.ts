/** One child of a supervisor through its starts, ends, restarts and stop. */
import type { Clock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import type { AnyRef } from './ref.ts';
import { settledWithin } from './settled-within.ts';

/** A child that runs: a Thread is one; for a local actor it is {refs: {name: actor.ref}, ended, stop}. */
export interface RunningChild {
  readonly refs: Readonly<Record<string, AnyRef>>;
  readonly ended: Promise<{ readonly error?: Error }>;
  /** Called also when it has ended by itself, to free what is left. */
  stop(): Promise<void>;
}

/** What was begun before the child's turn to start. */
export interface PreparedChild {
  /** In place of Child.start, once. */
  start(): Promise<RunningChild>;
  /** It will not be started: frees what was begun. */
  discard(): Promise<void>;
}

export interface Child {
  readonly name: string;
  /** False: the rest goes on without it when it is given up. Default: true. */
  readonly essential?: boolean | undefined;
  /** Called again, for fresh state, at each restart. */
  start(): Promise<RunningChild>;
  /** Called before the first child starts, for what need not wait until it is this one's turn. */
  readonly prepare?: (() => PreparedChild) | undefined;
  /** Called after each restart, when the child's references work again; for those who must send state anew. */
  readonly onRestart?: (() => void | Promise<void>) | undefined;
}

export interface RestartPolicy {
  /** More ends than this within windowMs are a failure of the whole. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** Wait before the first restart; doubled for each further one in the window, up to 5 s. */
  readonly backoffMs: number;
}

export interface SupervisedDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly policy: RestartPolicy;
  /** The child is given up, with the error of its last end. */
  readonly onGivenUp: (error: Error) => void;
}

const MAX_BACKOFF_MS = 5_000;
/** What is left of a child that has ended may take this long to stop before it is started again. */
const CLEAN_UP_MS = 5_000;

export class SupervisedChild {
  readonly #child: Child;
  readonly #deps: SupervisedDeps;
  #prepared: PreparedChild | undefined;
  #running: RunningChild | undefined;
  /** The start, or the cleaning up after an end, that is under way. */
  #busy: Promise<void> = Promise.resolve();
  #stopping = false;
  #stopped = false;
  #backoff: { clear(): void } | undefined;
  #ends: number[] = [];

  constructor(child: Child, deps: SupervisedDeps) {
    this.#child = child;
    this.#deps = deps;
  }

  get name(): string {
    return this.#child.name;
  }

  /** Undefined while the child is down. */
  get refs(): RunningChild['refs'] | undefined {
    return this.#stopped ? undefined : this.#running?.refs;
  }

  prepare(): void {
    this.#prepared = this.#child.prepare?.();
  }

  /** The first start; rejects with what the child's start rejects with. */
  start(): Promise<void> {
    return this.#launch();
  }

  /** Resolves within `ms`, when the child has stopped or not; never rejects. */
  async stop(ms: number): Promise<void> {
    const { log, clock } = this.#deps;
    this.#stopping = true;
    this.#backoff?.clear();
    // a child that is starting is stopped as soon as it has started, however late
    const work = this.#busy.catch(() => undefined).then(() => this.#stopRunning(this.#running ?? this.#unused()));
    if (!(await settledWithin(work, ms, clock))) {
      log.warn({ child: this.name, ms: Math.round(ms) }, 'child did not stop in time');
    }
    this.#stopped = true;
  }

  /** What was prepared and not started. */
  #unused(): Pick<RunningChild, 'stop'> | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared && { stop: () => prepared.discard() };
  }

  async #stopRunning(running: Pick<RunningChild, 'stop'> | undefined): Promise<void> {
    try {
      await running?.stop();
    } catch (error) {
      this.#deps.log.error({ child: this.name, err: error }, 'child failed to stop');
    }
  }

  #launch(): Promise<void> {
    this.#busy = (async () => {
      const first = this.#prepared ?? this.#child;
      this.#prepared = undefined;
      const running = await first.start();
      this.#running = running;
      void running.ended.then(({ error }) => this.#ended(running, error));
    })();
    return this.#busy;
  }

  #ended(running: RunningChild, error: Error | undefined): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    if (!this.#stopping) this.#busy = this.#cleanUp(running, error);
  }

  /** What the child holds besides what has ended (a listening port, say) is freed before it starts again. */
  async #cleanUp(running: RunningChild, error: Error | undefined): Promise<void> {
    await settledWithin(this.#stopRunning(running), CLEAN_UP_MS, this.#deps.clock);
    if (!this.#stopping) this.#restart(error ?? new DebtorrentError('ACTOR_STOPPED', `${this.name} ended by itself`));
  }

  #restart(error: Error): void {
    const { log, clock, policy, onGivenUp } = this.#deps;
    const now = clock.now();
    this.#ends = [...this.#ends.filter((time) => time > now - policy.windowMs), now];
    const count = this.#ends.length;
    if (count > policy.maxRestarts) {
      log.error({ child: this.name, ends: count, err: error }, 'child ends again and again, giving up');
      onGivenUp(error);
      return;
    }
    const ms = Math.min(policy.backoffMs * 2 ** (count - 1), MAX_BACKOFF_MS);
    log.warn({ child: this.name, ends: count, in_ms: ms, err: error }, 'child ended and is restarted');
    this.#backoff = clock.setTimeout(() => void this.#relaunch(), ms);
  }

  async #relaunch(): Promise<void> {
    const { log } = this.#deps;
    try {
      await this.#launch();
    } catch (error) {
      if (!this.#stopping) this.#restart(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#stopping || this.#running === undefined) return;
    log.info({ child: this.name }, 'child restarted');
    try {
      await this.#child.onRestart?.();
    } catch (error) {
      log.error({ child: this.name, err: error }, 'onRestart failed');
    }
  }
}

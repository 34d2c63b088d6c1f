/**
 * Keeps the parts of the daemon running: starts them in order, restarts what ends unexpectedly with fresh state after
 * a short wait, and stops them in reverse order.
 *
 * References from `ref` are stable: they may be taken before the child has started and stay right across restarts.
 * While a child is down, asks reject with ACTOR_STOPPED at once and tells return false.
 * A child that ends more than maxRestarts times in a minute (a restart that fails counts too) is given up: it stays
 * down, and `failed` resolves with its error unless the child is not essential; the owner then stops everything.
 * Stop takes at most stopMs: one child that is stuck gets most of it, and something is left for each of the others.
 */
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { kernelClock } from './kernel-clock.ts';
import type { ActorRef } from './protocol.ts';
import { refTo } from './ref.ts';
import { StableDestination } from './stable-ref.ts';
import type { Child, RestartPolicy } from './supervised-child.ts';
import { SupervisedChild } from './supervised-child.ts';

export type { Child, PreparedChild, RunningChild } from './supervised-child.ts';

export interface SupervisorOptions extends Partial<RestartPolicy> {
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  /** Milliseconds that stop() may take in all. Default: 9500. */
  readonly stopMs?: number | undefined;
}

export interface Supervisor {
  /**
   * Prepares all children, then starts them one after another; may be called once. Rejects when one cannot start, or with STOPPING when
   * stop() comes first; those that had started are then stopped again.
   */
  start(children: readonly Child[]): Promise<void>;
  /** A stable reference to an actor of a child, by the names of both. */
  ref<P>(child: string, name: string): ActorRef<P>;
  /** Resolves when everything has stopped or stopMs has passed; never rejects, may be called at any time and again. */
  stop(): Promise<void>;
  /** Resolves when a child is given up; never otherwise. */
  readonly failed: Promise<Error>;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new ChildSupervisor(options);
}

const DEFAULTS: RestartPolicy = { maxRestarts: 5, windowMs: 60_000, backoffMs: 100 };
const DEFAULT_STOP_MS = 9_500;

class ChildSupervisor implements Supervisor {
  readonly failed: Promise<Error>;
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #children = new Map<string, SupervisedChild>();
  #fail!: (error: Error) => void;
  #stopped: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  async start(children: readonly Child[]): Promise<void> {
    this.#checkNotStopped();
    for (const child of children) this.#children.set(child.name, this.#supervise(child));
    for (const child of this.#children.values()) await this.#orStop(child, () => child.prepare());
    for (const child of this.#children.values()) {
      this.#checkNotStopped();
      await this.#orStop(child, () => child.start());
    }
    this.#checkNotStopped();
  }

  async #orStop(child: SupervisedChild, step: () => void | Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      // an expected failure says itself what is wrong, to whom start() rejects
      if (!(error instanceof DebtorrentError)) {
        this.#options.log.error({ child: child.name, err: error }, 'child cannot start');
      }
      await this.stop();
      throw error;
    }
  }

  #supervise(child: Child): SupervisedChild {
    const { log } = this.#options;
    return new SupervisedChild(child, {
      log,
      clock: this.#clock,
      policy: { ...DEFAULTS, ...this.#options },
      onGivenUp: (error) => {
        if (child.essential ?? true) this.#fail(error);
        else log.error({ child: child.name, err: error }, 'going on without it');
      },
    });
  }

  ref<P>(child: string, name: string): ActorRef<P> {
    const { log, clock = kernelClock } = this.#options;
    return refTo<P>(new StableDestination(name, { refs: () => this.#children.get(child)?.refs, log, clock }));
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  #checkNotStopped(): void {
    if (this.#stopped !== undefined) throw new DebtorrentError('STOPPING', 'stopped before everything had started');
  }

  async #stop(): Promise<void> {
    const { stopMs = DEFAULT_STOP_MS } = this.#options;
    const children = [...this.#children.values()].toReversed();
    const reserve = stopMs / (2 * Math.max(1, children.length));
    const end = this.#clock.now() + stopMs;
    for (const [index, child] of children.entries()) {
      const after = children.length - index - 1;
      await child.stop(Math.max(0, end - this.#clock.now() - reserve * after));
    }
  }
}

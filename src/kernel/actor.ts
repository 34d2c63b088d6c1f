/**
 * An actor in this thread.
 *
 * Order: messages are handled one at a time in the order of arrival, never inside the call that sends them; a reply
 * comes when the handler returns or its promise settles, so replies of slow handlers may overtake each other.
 * Arguments and replies are not copied: whoever has sent an object must not change it.
 * Bound: queued tells and unanswered asks together are at most mailbox.limit. An ask past its deadline is answered
 * (ASK_TIMEOUT), so it no longer counts, and its handler does not run if it has not begun.
 * Stop: nothing more is taken, what is queued is dropped and its askers get ACTOR_STOPPED, the stop hook runs (asks
 * in work may still be answered meanwhile, others get ACTOR_STOPPED), what is unanswered then gets ACTOR_STOPPED.
 * Failure: an exception or rejection that is not a DebtorrentError ends the actor. Its asker gets ACTOR_FAILED,
 * everybody else ACTOR_STOPPED at once, and the stop hook runs so that what the actor holds (sockets, files) is freed.
 * A DebtorrentError is the reply to an ask; from a tell it is logged.
 */
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { soon } from '../core/soon.ts';
import { DropLog } from './drop-log.ts';
import { kernelClock } from './kernel-clock.ts';
import type { Letter } from './mailbox.ts';
import { Mailbox } from './mailbox.ts';
import { PendingAsks } from './pending.ts';
import type { ActorRef, Behaviour } from './protocol.ts';
import type { Destination } from './ref.ts';
import { DEFAULT_MAILBOX_LIMIT, refTo } from './ref.ts';
import { settledWithin } from './settled-within.ts';

export interface ActorOptions<P> {
  readonly name: string;
  readonly behaviour: Behaviour<P>;
  /** Default: 1024 messages. */
  readonly mailbox?: { readonly limit: number } | undefined;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  /** Called once when the actor fails, before its stop hook. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** Frees what the actor holds, on stop and on failure (then with the cause). */
  readonly stop?: ((cause?: Error) => void | Promise<void>) | undefined;
  /** Milliseconds that the stop hook may take; the actor then ends all the same. Default: 8000. */
  readonly stopMs?: number | undefined;
}

export interface Ended {
  /** What the actor failed with; absent when it was stopped. */
  readonly error?: Error;
}

export interface LocalActor<P> {
  readonly ref: ActorRef<P>;
  /** Resolves when the actor has ended; never rejects, may be called again. */
  stop(): Promise<void>;
  /** Resolves when the actor has ended, by stop or by failure; never rejects. */
  readonly ended: Promise<Ended>;
  /** Queued tells and unanswered asks now. */
  readonly load: number;
  /** Tells that were not taken so far. */
  readonly dropped: number;
}

export function spawn<P>(options: ActorOptions<P>): LocalActor<P> {
  return new Cell<P>(options);
}

const DEFAULT_STOP_MS = 8_000;

/** Messages handled before the event loop gets a turn, so that actors that chat do not starve I/O. */
const BURST = 256;

type Handler = (...args: readonly unknown[]) => unknown;

class Cell<P> implements LocalActor<P>, Destination {
  readonly name: string;
  readonly limit: number;
  readonly ref: ActorRef<P>;
  readonly ended: Promise<Ended>;
  readonly #options: ActorOptions<P>;
  readonly #behaviour: Record<string, Handler | undefined>;
  readonly #asks: PendingAsks;
  readonly #drops: DropLog;
  readonly #mailbox = new Mailbox();
  readonly #drain = (): void => this.#run();
  #state: 'running' | 'stopping' | 'ended' = 'running';
  #scheduled = false;
  #burst = 0;
  #end!: (ended: Ended) => void;

  constructor(options: ActorOptions<P>) {
    const { name, log, clock = kernelClock } = options;
    this.name = name;
    this.limit = options.mailbox?.limit ?? DEFAULT_MAILBOX_LIMIT;
    this.ref = refTo<P>(this);
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#options = options;
    this.#behaviour = options.behaviour;
    this.#asks = new PendingAsks({ name, clock });
    this.#drops = new DropLog({ actor: name, log, clock });
  }

  get load(): number {
    return this.#mailbox.tells + this.#asks.size;
  }

  get dropped(): number {
    return this.#drops.total;
  }

  send(kind: string, args: readonly unknown[]): boolean {
    if (this.#state !== 'running' || this.load >= this.limit) {
      this.#drops.count(kind, this.#state === 'running' ? 'mailbox full' : 'ended');
      return false;
    }
    this.#put({ kind, args, ask: undefined });
    return true;
  }

  request(kind: string, args: readonly unknown[], deadlineMs: number): Promise<unknown> {
    if (this.#state !== 'running') return Promise.reject(this.#stopped());
    if (this.load >= this.limit) {
      return Promise.reject(new DebtorrentError('MAILBOX_FULL', `the mailbox of ${this.name} is full`));
    }
    return new Promise((resolve, reject) => {
      this.#put({ kind, args, ask: this.#asks.open(kind, deadlineMs, resolve, reject) });
    });
  }

  async stop(): Promise<void> {
    if (this.#state === 'running') void this.#finish(undefined);
    await this.ended;
  }

  #put(letter: Letter): void {
    this.#mailbox.put(letter);
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#burst < BURST) soon(this.#drain);
    else this.#yield();
  }

  #yield(): void {
    this.#burst = 0;
    setImmediate(this.#drain);
  }

  #run(): void {
    while (this.#state === 'running' && this.#burst < BURST) {
      const letter = this.#mailbox.take();
      if (letter === undefined) break;
      this.#burst += 1;
      this.#handle(letter);
    }
    if (this.#mailbox.length > 0) this.#yield();
    else this.#scheduled = false;
  }

  #handle(letter: Letter): void {
    const { kind, args, ask } = letter;
    if (ask !== undefined && !this.#asks.isOpen(ask)) return;
    const behaviour = this.#behaviour;
    let result: unknown;
    try {
      if (typeof behaviour[kind] !== 'function') {
        throw new DebtorrentError('INTERNAL', `${this.name} does not understand ${kind}`);
      }
      result = behaviour[kind](...args);
    } catch (error) {
      this.#failed(letter, error);
      return;
    }
    if (isThenable(result)) {
      result.then(
        (value) => ask !== undefined && this.#asks.resolve(ask, value),
        (error: unknown) => this.#failed(letter, error),
      );
    } else if (ask !== undefined) {
      this.#asks.resolve(ask, result);
    }
  }

  #failed({ kind, ask }: Letter, error: unknown): void {
    const { log, onFailure } = this.#options;
    const actor = this.name;
    if (error instanceof DebtorrentError) {
      if (ask !== undefined) this.#asks.reject(ask, error);
      else log.warn({ actor, kind, code: error.code, err: error }, 'message failed');
      return;
    }
    const cause = error instanceof Error ? error : new Error(String(error));
    if (ask !== undefined) {
      const message = `${actor} failed in ${kind}: ${cause.message}`;
      this.#asks.reject(ask, new DebtorrentError('ACTOR_FAILED', message, { cause }));
    }
    if (this.#state !== 'running') {
      log.warn({ actor, kind, err: cause }, 'message failed while the actor was ending');
      return;
    }
    log.error({ actor, kind, err: cause }, 'actor failed');
    const finished = this.#finish(cause);
    try {
      onFailure?.(cause);
    } catch (error_) {
      log.error({ actor, err: error_ }, 'onFailure failed');
    }
    void finished;
  }

  async #finish(cause: Error | undefined): Promise<void> {
    this.#state = 'stopping';
    for (let letter = this.#mailbox.take(); letter !== undefined; letter = this.#mailbox.take()) {
      if (letter.ask !== undefined) this.#asks.reject(letter.ask, this.#stopped());
    }
    if (cause !== undefined) this.#asks.rejectAll(this.#stopped());
    await this.#runStopHook(cause);
    this.#state = 'ended';
    this.#asks.rejectAll(this.#stopped());
    this.#drops.close();
    this.#end(cause === undefined ? {} : { error: cause });
  }

  async #runStopHook(cause: Error | undefined): Promise<void> {
    const { stop, stopMs = DEFAULT_STOP_MS, log, clock = systemClock } = this.#options;
    if (stop === undefined) return;
    const actor = this.name;
    // a microtask later: a handler that stops its own actor ends before the hook begins
    const work = Promise.resolve()
      .then(() => stop(cause))
      .catch((error: unknown) => log.error({ actor, err: error }, 'stop hook failed'));
    if (!(await settledWithin(work, stopMs, clock))) log.warn({ actor, stopMs }, 'actor did not stop in time');
  }

  #stopped(): DebtorrentError {
    return new DebtorrentError('ACTOR_STOPPED', `${this.name} has ended`);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/**
 * Actors of another thread, through Comlink over a MessagePort: the only file that knows Comlink.
 *
 * One side exports actors by name on its end of a port, the other imports them from its end; for both directions take
 * two ports. What Comlink leaves open is settled here: errors keep code and message; a deadline is enforced on the
 * asking side; when the port closes, which it does when the thread of the other side ends in any way, everything
 * unanswered is rejected with ACTOR_STOPPED.
 * Arguments and replies are structured clones. What cannot be cloned (functions, references to actors) rejects the
 * ask with INTERNAL, and is logged for a tell.
 * Bound: an importer has at most `limit` messages on the way or unanswered for each actor, also while the other
 * thread is blocked; the actor's own bound holds besides. A tell counts until the other thread has taken it in.
 */
import type { MessagePort } from 'node:worker_threads';

import { expose, wrap } from 'comlink';

import type { Clock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { DropLog } from './drop-log.ts';
import type { Envelope, Parcel } from './envelope.ts';
import { fromFailure, toFailure } from './envelope.ts';
import { kernelClock } from './kernel-clock.ts';
import { PendingAsks } from './pending.ts';
import type { ActorRef } from './protocol.ts';
import type { AnyRef, Destination } from './ref.ts';
import { DEFAULT_MAILBOX_LIMIT, destinationOf, refTo } from './ref.ts';

/** What Comlink exposes: it calls deliver within the port's event, so the order of messages is kept. */
interface Counter {
  deliver(parcel: Parcel): Envelope | Promise<Envelope>;
}

/** Lets the other end of the port reach these actors until the port closes. */
export function exportRefs(refs: Readonly<Record<string, AnyRef>>, port: MessagePort): void {
  const table = new Map(Object.entries(refs).map(([name, ref]) => [name, destinationOf(ref)]));
  const counter: Counter = {
    deliver({ actor, kind, args, deadlineMs }) {
      const destination = table.get(actor);
      if (destination === undefined) {
        return { failure: { code: 'INTERNAL', message: `no actor ${actor} is exported here` } };
      }
      if (deadlineMs === undefined) {
        destination.send(kind, args);
        return undefined;
      }
      return destination.request(kind, args, deadlineMs).then(
        (value) => ({ value }),
        (error: unknown) => ({ failure: toFailure(error, 'INTERNAL') }),
      );
    },
  };
  expose(
    counter,
    endpoint(port, (message) => port.postMessage(message)),
  );
}

export interface ImportDeps {
  readonly log: Logger;
  readonly clock?: Clock | undefined;
}

export interface RemoteActors {
  /** The actor exported under this name; `limit` is the bound of its mailbox. */
  ref<P>(name: string, limit?: number): ActorRef<P>;
  /** Closes the port, unless the other side does so first; messages are refused at once. */
  close(): void;
  /** Resolves when the port is closed and everything is settled, by replies that came before or ACTOR_STOPPED. */
  readonly closed: Promise<void>;
}

export function importRefs(port: MessagePort, deps: ImportDeps): RemoteActors {
  return new Line(port, deps);
}

interface LineDeps {
  readonly log: Logger;
  readonly clock: Clock;
}

class Line implements RemoteActors {
  readonly closed: Promise<void>;
  readonly #port: MessagePort;
  readonly #deps: LineDeps;
  readonly #actors: RemoteActor[] = [];
  readonly #deliver: (parcel: Parcel) => Promise<Envelope>;
  #open = true;

  constructor(port: MessagePort, { log, clock }: ImportDeps) {
    this.#port = port;
    this.#deps = { log, clock: clock ?? kernelClock };
    const remote = wrap<Counter>(endpoint(port, (message, loopBack) => loopBack(message)));
    this.#deliver = remote.deliver;
    this.closed = new Promise((resolve) => port.once('close', () => resolve(this.#settle())));
  }

  get open(): boolean {
    return this.#open;
  }

  ref<P>(name: string, limit = DEFAULT_MAILBOX_LIMIT): ActorRef<P> {
    const actor = new RemoteActor(name, limit, this, this.#deps);
    this.#actors.push(actor);
    return refTo<P>(actor);
  }

  deliver(parcel: Parcel): Promise<Envelope> {
    return this.#deliver(parcel);
  }

  close(): void {
    this.#open = false;
    this.#port.close();
  }

  async #settle(): Promise<void> {
    this.#open = false;
    // Comlink hands on the replies that came last a few microtasks later
    await new Promise((resolve) => setImmediate(resolve));
    for (const actor of this.#actors) actor.end();
  }
}

class RemoteActor implements Destination {
  readonly name: string;
  readonly limit: number;
  readonly #line: Line;
  readonly #deps: LineDeps;
  readonly #asks: PendingAsks;
  readonly #drops: DropLog;
  /** Messages that the other thread has not answered or acknowledged yet. */
  #outstanding = 0;

  constructor(name: string, limit: number, line: Line, deps: LineDeps) {
    this.name = name;
    this.limit = limit;
    this.#line = line;
    this.#deps = deps;
    this.#asks = new PendingAsks({ name, clock: deps.clock });
    this.#drops = new DropLog({ actor: name, log: deps.log, clock: deps.clock });
  }

  send(kind: string, args: readonly unknown[]): boolean {
    if (!this.#line.open || this.#outstanding >= this.limit) {
      this.#drops.count(kind, this.#line.open ? 'mailbox full' : 'ended');
      return false;
    }
    this.#deliver({ actor: this.name, kind, args, deadlineMs: undefined }, (envelope) => {
      if (envelope === undefined || !('failure' in envelope)) return;
      this.#deps.log.error({ actor: this.name, kind, ...envelope.failure }, 'message could not be sent');
    });
    return true;
  }

  request(kind: string, args: readonly unknown[], deadlineMs: number): Promise<unknown> {
    if (!this.#line.open) return Promise.reject(this.#stopped());
    if (this.#outstanding >= this.limit) {
      return Promise.reject(new DebtorrentError('MAILBOX_FULL', `the mailbox of ${this.name} is full`));
    }
    return new Promise((resolve, reject) => {
      const ask = this.#asks.open(kind, deadlineMs, resolve, reject);
      this.#deliver({ actor: this.name, kind, args, deadlineMs }, (envelope) => {
        if (envelope === undefined) this.#asks.resolve(ask, undefined);
        else if ('value' in envelope) this.#asks.resolve(ask, envelope.value);
        else if (this.#asks.isOpen(ask)) this.#asks.reject(ask, fromFailure(envelope.failure));
      });
    });
  }

  end(): void {
    this.#asks.rejectAll(this.#stopped());
    this.#drops.close();
  }

  #deliver(parcel: Parcel, settle: (envelope: Envelope) => void): void {
    this.#outstanding += 1;
    this.#line.deliver(parcel).then(
      (envelope) => {
        this.#outstanding -= 1;
        settle(envelope);
      },
      (error: unknown) => {
        this.#outstanding -= 1;
        settle({ failure: toFailure(error, 'INTERNAL') });
      },
    );
  }

  #stopped(): DebtorrentError {
    return new DebtorrentError('ACTOR_STOPPED', `the thread of ${this.name} has ended`);
  }
}

interface Message {
  readonly id?: unknown;
}

/**
 * A port as Comlink wants it. What cannot be cloned would leave an entry in Comlink's table for ever (call) or lose
 * its reason (reply); instead a failure with the same id is handed to `unsendable`.
 */
function endpoint(
  port: MessagePort,
  unsendable: (message: object, loopBack: (message: object) => void) => void,
): Parameters<typeof expose>[1] & object {
  let listener: ((event: { data: unknown }) => void) | undefined;
  return {
    postMessage(message: Message): void {
      try {
        port.postMessage(message);
      } catch (error) {
        const failure = toFailure(error, 'INTERNAL');
        const value: Envelope = { failure: { ...failure, message: `cannot cross threads: ${failure.message}` } };
        unsendable({ id: message.id, type: 'RAW', value }, (data) => listener?.({ data }));
      }
    },
    addEventListener(_type: string, handler: unknown): void {
      listener = handler as typeof listener;
      port.on('message', (data: unknown) => listener?.({ data }));
    },
    removeEventListener(): void {
      listener = undefined;
    },
    start: () => port.start(),
  };
}

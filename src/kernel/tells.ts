/**
 * Messages without a reply between threads. Comlink answers each call, with an id, a promise and a message of its own,
 * and most of what busy threads say to each other needs no answer; so what is told in one turn goes as one message, and
 * is acknowledged by one. A port carries these beside Comlink's own, in the order in which they were sent.
 */
import type { MessagePort } from 'node:worker_threads';

import { toFailure, type Failure } from './envelope.ts';
import type { Destination } from './ref.ts';

interface Tell {
  readonly actor: string;
  readonly kind: string;
  readonly args: readonly unknown[];
}

interface Told {
  readonly tells: readonly Tell[];
}

interface Taken {
  /** So many of the tells that were sent first. */
  readonly taken: number;
  /** Those of them, counted from 0, that nobody could take. */
  readonly failures: readonly { readonly at: number; readonly failure: Failure }[];
}

/** Called once; with a failure when the tell could not be sent or taken. */
type OnTaken = (failure?: Failure) => void;

/** Sent at once when so many wait. */
const MAX_WAITING = 64;

export class TellSender {
  readonly #port: MessagePort;
  #waiting: { readonly tell: Tell; readonly taken: OnTaken }[] = [];
  /** First sent first. */
  #unacknowledged: OnTaken[] = [];
  readonly #flush = (): void => this.flush();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  send(tell: Tell, taken: OnTaken): void {
    this.#waiting.push({ tell, taken });
    // After the microtasks that are due: these may have more to tell.
    if (this.#waiting.length === 1) process.nextTick(this.#flush);
    else if (this.#waiting.length >= MAX_WAITING) this.flush();
  }

  /** Sends what waits; to be called before anything else goes over the port. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      this.#post(waiting);
    } catch {
      for (const each of waiting) this.#postAlone(each);
    }
  }

  /** True when the message acknowledges tells. */
  acknowledged(message: unknown): boolean {
    if (!isTaken(message)) return false;
    const taken = this.#unacknowledged.splice(0, message.taken);
    const failures = new Map(message.failures.map(({ at, failure }) => [at, failure]));
    for (const [at, each] of taken.entries()) each(failures.get(at));
    return true;
  }

  /** @throws Error when something cannot be cloned; then nothing has been sent. */
  #post(sent: readonly { readonly tell: Tell; readonly taken: OnTaken }[]): void {
    const told: Told = { tells: sent.map(({ tell }) => tell) };
    this.#port.postMessage(told);
    for (const { taken } of sent) this.#unacknowledged.push(taken);
  }

  #postAlone(each: { readonly tell: Tell; readonly taken: OnTaken }): void {
    try {
      this.#post([each]);
    } catch (error) {
      const failure = toFailure(error, 'INTERNAL');
      each.taken({ ...failure, message: `cannot cross threads: ${failure.message}` });
    }
  }
}

/** Hands tells to their actors; true when the message was some. */
export function takeTells(message: unknown, table: ReadonlyMap<string, Destination>, port: MessagePort): boolean {
  if (!isTold(message)) return false;
  const { tells } = message;
  const failures: Taken['failures'][number][] = [];
  for (const [at, { actor, kind, args }] of tells.entries()) {
    const destination = table.get(actor);
    if (destination !== undefined) destination.send(kind, args);
    else failures.push({ at, failure: { code: 'INTERNAL', message: `no actor ${actor} is exported here` } });
  }
  const taken: Taken = { taken: tells.length, failures };
  port.postMessage(taken);
  return true;
}

function isTold(message: unknown): message is Told {
  return typeof message === 'object' && message !== null && 'tells' in message;
}

function isTaken(message: unknown): message is Taken {
  return typeof message === 'object' && message !== null && 'taken' in message;
}

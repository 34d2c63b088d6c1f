/**
 * The one implementation of ActorRef. Where a message goes (a mailbox in this thread, another thread, whatever runs
 * under a supervised name now) is its destination's business.
 */
import type { ActorRef, AskName, MessageArgs, Reply, TellName } from './protocol.ts';
import { DEFAULT_DEADLINE_MS } from './protocol.ts';

/** Messages that an actor holds, queued or unanswered, unless its mailbox says otherwise. */
export const DEFAULT_MAILBOX_LIMIT = 1024;

/** The longest deadline, in milliseconds: what a timer takes. */
const MAX_DEADLINE_MS = 2 ** 31 - 1;

/** A reference to an actor whose protocol is known elsewhere. */
// eslint-disable-next-line typescript/no-explicit-any -- a table of actors of different protocols
export type AnyRef = ActorRef<any>;

/** Where messages go, untyped; the rules are those of ActorRef. */
export interface Destination {
  readonly name: string;
  /** Messages that it holds at most. */
  readonly limit: number;
  send(kind: string, args: readonly unknown[]): boolean;
  request(kind: string, args: readonly unknown[], deadlineMs: number): Promise<unknown>;
}

/**
 * References cross threads only when a thread is started. `within` is a property, so that one that is put into a
 * message to another thread is refused by structured clone instead of arriving dead.
 */
class Ref<P> implements ActorRef<P> {
  readonly name: string;
  readonly destination: Destination;
  readonly deadlineMs: number;
  readonly within: (deadlineMs: number) => ActorRef<P>;

  constructor(destination: Destination, deadlineMs: number) {
    this.name = destination.name;
    this.destination = destination;
    this.deadlineMs = deadlineMs;
    this.within = (ms) => new Ref<P>(destination, clampDeadline(ms));
  }

  tell<K extends TellName<P>>(kind: K, ...args: MessageArgs<P, K>): boolean {
    return this.destination.send(kind, args);
  }

  ask<K extends AskName<P>>(kind: K, ...args: MessageArgs<P, K>): Promise<Reply<P, K>> {
    return this.destination.request(kind, args, this.deadlineMs) as Promise<Reply<P, K>>;
  }
}

export function refTo<P>(destination: Destination): ActorRef<P> {
  return new Ref<P>(destination, DEFAULT_DEADLINE_MS);
}

interface UntypedRef {
  tell(kind: string, ...args: readonly unknown[]): boolean;
  ask(kind: string, ...args: readonly unknown[]): Promise<unknown>;
  within(deadlineMs: number): UntypedRef;
}

/** Where a reference sends to; one that is not of this kernel is wrapped. */
export function destinationOf(ref: AnyRef): Destination {
  if (ref instanceof Ref) return ref.destination;
  const untyped = ref as unknown as UntypedRef;
  return {
    name: ref.name,
    limit: DEFAULT_MAILBOX_LIMIT,
    send: (kind, args) => untyped.tell(kind, ...args),
    request: (kind, args, deadlineMs) => untyped.within(deadlineMs).ask(kind, ...args),
  };
}

/** A deadline computed as "what is left" may be 0 or less, which means as soon as possible. */
function clampDeadline(ms: number): number {
  if (Number.isNaN(ms)) throw new RangeError('a deadline must be a number of milliseconds');
  return Math.min(Math.max(1, Math.ceil(ms)), MAX_DEADLINE_MS);
}

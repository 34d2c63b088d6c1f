/**
 * Typed messages between actors. A protocol is an interface of signatures: what returns void is told (one way),
 * everything else is asked (one reply, before a deadline). The same ActorRef is used whether the actor lives in this
 * thread or in a worker; tests hold both transports to one contract.
 */
type AnyFunction = (...args: never[]) => unknown;

/** Names of a protocol's one-way messages. */
export type TellName<P> = {
  [K in keyof P]: P[K] extends AnyFunction ? (void extends ReturnType<P[K]> ? K : never) : never;
}[keyof P] &
  string;

/** Names of a protocol's messages that have a reply. */
export type AskName<P> = {
  [K in keyof P]: P[K] extends AnyFunction ? (void extends ReturnType<P[K]> ? never : K) : never;
}[keyof P] &
  string;

export type MessageArgs<P, K extends keyof P> = P[K] extends (...args: infer A) => unknown ? A : never;
export type Reply<P, K extends keyof P> = P[K] extends (...args: never[]) => infer R ? Awaited<R> : never;

/**
 * What an actor does with each message. Handlers run one at a time in order of arrival and own the actor's state
 * while they run; a handler that needs time returns a promise, which does not hold up the mailbox, and what it does
 * after its first await must look at the state anew. An exception that is not a DebtorrentError ends the actor
 * (thrown synchronously or as a rejection); a DebtorrentError is the reply.
 */
export type Behaviour<P> = {
  [K in keyof P]: P[K] extends (...args: infer A) => infer R ? (...args: A) => R | Promise<Awaited<R>> : never;
};

/** Milliseconds that an ask waits for its reply unless `within` says otherwise. */
export const DEFAULT_DEADLINE_MS = 10_000;

export interface ActorRef<P> {
  readonly name: string;
  /** Never there: it makes references of different protocols different types. */
  readonly protocol?: P;
  /**
   * Sends a one-way message. Never throws and never waits; false when it was not taken because the mailbox is full
   * or the actor has ended (both are counted and logged by the kernel, so most senders need not look).
   */
  tell<K extends TellName<P>>(kind: K, ...args: MessageArgs<P, K>): boolean;
  /**
   * Sends a message and waits for its reply. Rejects with a DebtorrentError: ASK_TIMEOUT after the deadline,
   * MAILBOX_FULL, ACTOR_STOPPED when the actor or its thread ends first, or what the handler failed with.
   */
  ask<K extends AskName<P>>(kind: K, ...args: MessageArgs<P, K>): Promise<Reply<P, K>>;
  /** The same actor with another deadline for its asks, in milliseconds (1 to 2^31 - 1). */
  within(deadlineMs: number): ActorRef<P>;
}

/** What the two ends of a thread tell each other besides the messages of actors. */
import type { MessagePort } from 'node:worker_threads';

import type { Failure } from './envelope.ts';
import type { AnyRef } from './ref.ts';
import { destinationOf } from './ref.ts';
import type { LogRecord } from './thread-log.ts';

/** Actors by name, with the bounds of their mailboxes. */
export type Limits = Readonly<Record<string, number>>;

/** One way between two worker threads, as one of them sees it. */
export type Line =
  | {
      readonly kind: 'to';
      /** The name of the other thread. */
      readonly thread: string;
      /** The other's actors, reached through `port`. */
      readonly actors: Limits;
      readonly port: MessagePort;
    }
  | {
      readonly kind: 'from';
      /** Where this thread exports its own actors to the other. */
      readonly port: MessagePort;
    };

/** The worker's workerData. */
export interface ThreadData {
  readonly name: string;
  readonly boot: unknown;
  /** The main thread's actors that the worker gets, reached through `toMain`. */
  readonly refs: Limits;
  readonly toMain: MessagePort;
  /** Where the worker exports its own actors. */
  readonly toWorker: MessagePort;
  /** To and from other worker threads. */
  readonly lines: readonly Line[];
}

export type FromWorker =
  | { readonly type: 'ready'; readonly actors: Limits }
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'stopped' }
  | LogRecord;

export type ToWorker =
  /** Its modules may be loaded before; its actors are made now. */
  | { readonly type: 'begin' }
  | { readonly type: 'stop' }
  | { readonly type: 'logged'; readonly records: number }
  | { readonly type: 'line'; readonly line: Line };

export function limitsOf(refs: Readonly<Record<string, AnyRef>>): Limits {
  return Object.fromEntries(Object.entries(refs).map(([name, ref]) => [name, destinationOf(ref).limit]));
}

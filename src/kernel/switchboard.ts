/**
 * Lines between worker threads, so that what one tells another does not pass through the main thread: with busy
 * processors each thread on the way is a wake-up more, for the message and for its reply.
 *
 * A line leads one way. A thread that starts gets lines to and from those that run with its first data, so that it can
 * use them at once; the others can reach it when its actors are there. When a thread ends its ports close, and whoever
 * has asked it gets ACTOR_STOPPED; the next one of that name gets new lines.
 */
import { MessageChannel } from 'node:worker_threads';

import type { Limits, Line } from './thread-protocol.ts';

/** One thread's place at the switchboard, from before its start to its end. */
export interface Place {
  /** Its lines to and from the threads that run, for its first data. */
  readonly lines: readonly Line[];
  /** Its actors are there. */
  ready(actors: Limits): void;
  /** It has ended. */
  close(): void;
}

interface Running {
  /** Hands a line over to the thread. */
  readonly give: (line: Line) => void;
  actors: Limits | undefined;
}

export class Switchboard {
  readonly #pairs: readonly (readonly [string, string])[];
  readonly #running = new Map<string, Running>();

  /** @param pairs names of threads that talk to each other. */
  constructor(pairs: readonly (readonly [string, string])[]) {
    this.#pairs = pairs;
  }

  /** `give` hands a line over to the thread, which has been started by then. */
  open(name: string, give: (line: Line) => void): Place {
    const own: Running = { give, actors: undefined };
    const others = this.#pairs.flatMap(([a, b]) => (a === name ? [b] : b === name ? [a] : []));
    const lines: Line[] = [];
    for (const other of others) {
      const there = this.#running.get(other);
      if (there?.actors === undefined) continue;
      const { port1, port2 } = new MessageChannel();
      lines.push({ kind: 'to', thread: other, actors: there.actors, port: port1 });
      there.give({ kind: 'from', port: port2 });
    }
    this.#running.set(name, own);
    return {
      lines,
      ready: (actors) => {
        own.actors = actors;
        for (const other of others) {
          const there = this.#running.get(other);
          if (there === undefined) continue;
          const { port1, port2 } = new MessageChannel();
          give({ kind: 'from', port: port2 });
          there.give({ kind: 'to', thread: name, actors, port: port1 });
        }
      },
      close: () => {
        if (this.#running.get(name) === own) this.#running.delete(name);
      },
    };
  }
}

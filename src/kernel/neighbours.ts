/** The lines of a worker thread to others, seen from inside; the switchboard says how they come about. */
import type { MessagePort } from 'node:worker_threads';

import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logging.ts';
import type { ActorRef } from './protocol.ts';
import { refTo, type AnyRef } from './ref.ts';
import { exportRefs, importRefs, type RemoteActors } from './remote.ts';
import { StableDestination } from './stable-ref.ts';
import type { Line } from './thread-protocol.ts';

export interface NeighboursDeps {
  readonly log: Logger;
  readonly clock: Clock;
}

interface Neighbour {
  readonly remote: RemoteActors;
  readonly refs: Readonly<Record<string, AnyRef>>;
}

export class Neighbours {
  readonly #deps: NeighboursDeps;
  readonly #neighbours = new Map<string, Neighbour>();
  /** Where others reach this thread's actors. */
  readonly #exports = new Set<MessagePort>();
  /** This thread's actors; undefined until they are there. */
  #own: Readonly<Record<string, AnyRef>> | undefined;

  constructor(deps: NeighboursDeps, lines: readonly Line[]) {
    this.#deps = deps;
    for (const line of lines) this.add(line);
  }

  add(line: Line): void {
    if (line.kind === 'to') this.#reach(line);
    else this.#export(line.port);
  }

  /** Others can reach these actors from now on; what they have sent before was kept. */
  ready(own: Readonly<Record<string, AnyRef>>): void {
    this.#own = own;
    for (const port of this.#exports) exportRefs(own, port);
  }

  /** A stable reference to an actor of another thread, whichever thread of that name runs now. */
  ref<P>(thread: string, name: string): ActorRef<P> {
    const refs = () => this.#neighbours.get(thread)?.refs;
    return refTo<P>(new StableDestination(name, { refs, ...this.#deps }));
  }

  /** Leaves nothing that keeps the thread alive. */
  close(): void {
    for (const { remote } of this.#neighbours.values()) remote.close();
    for (const port of this.#exports) port.close();
  }

  /** The thread of that name before it has ended. */
  #reach({ thread, actors, port }: Line & { readonly kind: 'to' }): void {
    const remote = importRefs(port, { log: this.#deps.log });
    const refs = Object.fromEntries(Object.entries(actors).map(([name, limit]) => [name, remote.ref(name, limit)]));
    const neighbour: Neighbour = { remote, refs };
    this.#neighbours.set(thread, neighbour);
    void remote.closed.then(() => {
      if (this.#neighbours.get(thread) === neighbour) this.#neighbours.delete(thread);
    });
  }

  #export(port: MessagePort): void {
    this.#exports.add(port);
    port.once('close', () => this.#exports.delete(port));
    if (this.#own !== undefined) exportRefs(this.#own, port);
  }
}

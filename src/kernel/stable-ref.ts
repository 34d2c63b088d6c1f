/** A reference to an actor of a supervised child, whichever instance of the child runs now. */
import type { Clock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { Logger } from '../core/logging.ts';
import { DropLog } from './drop-log.ts';
import type { AnyRef, Destination } from './ref.ts';
import { DEFAULT_MAILBOX_LIMIT, destinationOf } from './ref.ts';

export interface StableDeps {
  /** The child's references now; undefined while it is down. */
  readonly refs: () => Readonly<Record<string, AnyRef>> | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

export class StableDestination implements Destination {
  readonly name: string;
  readonly #refs: StableDeps['refs'];
  readonly #drops: DropLog;

  constructor(name: string, { refs, log, clock }: StableDeps) {
    this.name = name;
    this.#refs = refs;
    this.#drops = new DropLog({ actor: name, log, clock });
  }

  get limit(): number {
    return this.#now()?.limit ?? DEFAULT_MAILBOX_LIMIT;
  }

  send(kind: string, args: readonly unknown[]): boolean {
    const destination = this.#now();
    if (destination !== undefined) return destination.send(kind, args);
    this.#drops.count(kind, 'ended');
    return false;
  }

  request(kind: string, args: readonly unknown[], deadlineMs: number): Promise<unknown> {
    const destination = this.#now();
    if (destination !== undefined) return destination.request(kind, args, deadlineMs);
    return Promise.reject(new DebtorrentError('ACTOR_STOPPED', `${this.name} is not running`));
  }

  #now(): Destination | undefined {
    const refs = this.#refs();
    const ref = refs !== undefined && Object.hasOwn(refs, this.name) ? refs[this.name] : undefined;
    return ref === undefined ? undefined : destinationOf(ref);
  }
}

/** What the transfers know of the swarms: for which torrents there are links, and whose want is whose. */
import { firstId } from '../../core/first-id.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { Contribution, PeersProtocol, PeerView, WantId } from '../swarm/protocol.ts';

export type PeersRef = Pick<ActorRef<PeersProtocol>, 'tell' | 'ask' | 'within'>;

/** Where news of a want goes. */
export type OnOffer = (view: PeerView) => void;

/**
 * The swarm answers a question within 50 ms by a timer of its own; these bounds, in milliseconds, are for a thread that
 * does not. One that answered the last question is late because processors are busy, with the mirror's bytes too; asking
 * the mirror after a moment cost eight machines at once two copies more. One that did not answer is not waited for.
 */
const PATIENT_MS = 400;
const IMPATIENT_MS = 60;
/** Weight of the newest job in what first bytes usually take. */
const NEWEST = 0.25;
/** What was left to peers to see what they bring is under way for so long at most, in milliseconds. */
const TRIAL_MS = 2_000;
/** A thread that does not answer for this time is not counted on, in milliseconds. */
const ALIVE_MS = 3_000;
const CONTRIBUTIONS_MS = 5_000;

export class PeerDirectory {
  readonly ref: PeersRef;
  readonly #wants = new Map<WantId, OnOffer>();
  #links: Readonly<Record<InfoHash, number>> | undefined;
  #nextWant: WantId = firstId();
  #alive: Promise<boolean> | undefined;
  #answers = true;
  #firstBytesMs = 0;
  #triedAt = -Infinity;

  constructor(ref: PeersRef) {
    this.ref = ref;
  }

  /** To be called before anything is asked for: wants of an earlier thread end, and its links are this one's. */
  async begin(): Promise<void> {
    // Swarms that start later tell by themselves.
    const links = await this.ref.ask('begun').catch(() => undefined);
    this.#links ??= links;
  }

  /** There is a link that shares one of these torrents. */
  near(torrents: readonly InfoHash[]): boolean {
    return torrents.some((torrent) => (this.#links?.[torrent] ?? 0) > 0);
  }

  /** Milliseconds that a question may take. */
  get patience(): number {
    return this.#answers ? PATIENT_MS : IMPATIENT_MS;
  }

  /** Whether a question was answered in time. */
  answered(inTime: boolean): void {
    this.#answers = inTime;
  }

  /** Milliseconds until peers send something of what they are asked for, as a rule; 0 when that is not known. */
  get firstBytesMs(): number {
    return this.#firstBytesMs;
  }

  /** The first bytes of a job have come after so many milliseconds. */
  firstBytes(ms: number): void {
    this.#firstBytesMs += (this.#firstBytesMs === 0 ? 1 : NEWEST) * (ms - this.#firstBytesMs);
  }

  /** Whether peers may be tried out with one more range, which is under way elsewhere: not while the last one is. */
  tryOut(now: number): boolean {
    if (now - this.#triedAt < TRIAL_MS) return false;
    this.#triedAt = now;
    return true;
  }

  /** Peers have brought all that they were asked for in a job. */
  delivered(): void {
    this.#triedAt = -Infinity;
  }

  openWant(onOffer: OnOffer): WantId {
    const id = this.#nextWant++;
    this.#wants.set(id, onOffer);
    return id;
  }

  closeWant(id: WantId): void {
    this.#wants.delete(id);
  }

  offered(id: WantId, view: PeerView): void {
    this.#answers = true;
    this.#wants.get(id)?.(view);
  }

  neighbours(links: Readonly<Record<InfoHash, number>>): void {
    this.#links = links;
  }

  /** Who sent what of a file; where nobody can say, nobody. */
  contributions(want: WantId): Promise<readonly Contribution[]> {
    return this.ref
      .within(CONTRIBUTIONS_MS)
      .ask('contributions', want)
      .catch(() => []);
  }

  /** The swarms' thread answers; asked once for all who want to know at the same time. */
  alive(): Promise<boolean> {
    this.#alive ??= this.ref
      .within(ALIVE_MS)
      .ask('status')
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#alive = undefined;
      });
    return this.#alive;
  }
}

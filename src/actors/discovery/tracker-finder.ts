/** Announces torrents to one tracker, a few at a time, and reports the peers that it names. */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { reasonOf } from '../../core/errors.ts';
import type { InfoHash } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { TrackerAnswer } from '../../core/swarm/tracker-answer.ts';
import type { Announcement, AnnounceEvent } from '../../core/swarm/udp-tracker-messages.ts';
import { backOff, jittered, RENEW_MS } from './back-off.ts';
import { DueQueue, type Turn } from './due-queue.ts';
import { announceHttp, type AnnounceResult } from './http-announce.ts';
import type { DiscoverySource, Finder, Report } from './protocol.ts';
import { announceUdp } from './udp-announce.ts';

/** One announcement, from the name's lookup to the last byte. */
const TIMEOUT_MS = 15_000;
/** What a tracker says about when to come again is kept within these bounds, in seconds. */
const LEAST_INTERVAL_S = 60;
const MOST_INTERVAL_S = 7_200;
const DEFAULT_INTERVAL_S = 1_800;
/** A tracker that may have forgotten who came before is asked again after this time, in milliseconds, doubling. */
const FORGOTTEN_MS = 120_000;
/** All torrents are announced anew after its failures once in this time at most, in milliseconds. */
const ANEW_MS = 900_000;
/** After failures of the tracker. */
const FIRST_RETRY_MS = 30_000;
const MOST_RETRY_MS = 1_800_000;
/** Announcements on their way at once: some trackers are silent about torrents that they do not know. */
const PARALLEL = 8;
const GOODBYE_MS = 1_000;
const NO_LISTENER_MS = 5_000;
/** Failures are logged when they begin and after this time again, in milliseconds. */
const WARN_AGAIN_MS = 3_600_000;
/** Goodbyes on their way at once when torrents leave; more are not sent, the tracker forgets by itself. */
const MAX_GOODBYES = 32;

export interface TrackerFinderDeps {
  readonly url: string;
  readonly listenPort: () => number | undefined;
  /** 40 hexadecimal digits. */
  readonly peerId: string;
  readonly report: Report;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly ca: (() => string[]) | undefined;
}

interface Announced {
  readonly port: number;
  readonly at: number;
  /** Not to be announced again sooner, in milliseconds. */
  readonly leastMs: number;
  readonly refusals: number;
  /** How many peers it names, as it did before it told of far fewer, and how often it did that. */
  readonly usual: number;
  readonly fewer: number;
}

export class TrackerFinder implements Finder {
  readonly #deps: TrackerFinderDeps;
  readonly #url: URL;
  /** For status and log: without path and query, where passkeys are. */
  readonly #name: string;
  readonly #queue: DueQueue;
  readonly #announced = new Map<InfoHash, Announced>();
  readonly #key = randomInt(2 ** 32);
  /** Announcements on their way that end when the finder stops. */
  readonly #running = new Set<AbortController>();
  #stopped = false;
  #goodbyes = 0;
  #failures = 0;
  #retryAt = 0;
  #answeredAt = -Infinity;
  /** Since when it seems to be down: what was announced before may be forgotten. */
  #downSince: number | undefined;
  #anewAt = -Infinity;
  #found = 0;
  #answered = false;
  #error: string | undefined;
  #warnedAt = -Infinity;

  constructor(deps: TrackerFinderDeps) {
    this.#deps = deps;
    // a special scheme, so that the parts of udp URLs are parsed by the same rules
    this.#url = new URL(deps.url.replace(/^udp:/, 'http:'));
    this.#name = `${deps.url.slice(0, deps.url.indexOf(':'))}://${this.#url.host}`;
    this.#queue = new DueQueue({
      clock: deps.clock,
      parallel: () => (this.#failures === 0 ? PARALLEL : 1),
      work: (torrent) => this.#turn(torrent),
    });
  }

  torrents(ids: readonly InfoHash[]): void {
    for (const id of this.#queue.set(ids)) void this.#goodbye(id);
  }

  status(): readonly DiscoverySource[] {
    const state = this.#error !== undefined ? 'failing' : this.#answered ? 'working' : 'starting';
    const error = this.#error === undefined ? {} : { error: this.#error };
    return [{ via: 'tracker', name: this.#name, state, found: this.#found, ...error }];
  }

  renew(): void {
    const { clock, random } = this.#deps;
    const now = clock.now();
    this.#retryAt = 0;
    // should it fail again, it is left alone as after a first failure
    this.#failures = Math.min(this.#failures, 1);
    // those that it refuses it refuses wherever this machine is
    const welcome = this.#queue.torrents.filter((id) => (this.#announced.get(id)?.refusals ?? 0) === 0);
    const soon = random() * RENEW_MS;
    this.#queue.hurry(welcome, (id) => {
      const at = this.#announced.get(id)?.at ?? -Infinity;
      return Math.max(soon, at + LEAST_INTERVAL_S * 1000 - now);
    });
  }

  async stop(): Promise<void> {
    this.#queue.stop();
    this.#stopped = true;
    for (const running of this.#running) running.abort(new Error('stopping'));
    await Promise.all([...this.#announced.keys()].map((id) => this.#goodbye(id)));
  }

  async #turn(torrent: InfoHash): Promise<Turn> {
    const { listenPort, clock } = this.#deps;
    const port = listenPort();
    if (port === undefined) return { againMs: NO_LISTENER_MS };
    const known = this.#announced.get(torrent);
    const isWelcome = known !== undefined && known.refusals === 0;
    const event = isWelcome ? 'none' : 'started';
    const askedAt = clock.now();
    const deadline = new AbortController();
    const timer = clock.setTimeout(() => deadline.abort(new Error('it is too slow')), TIMEOUT_MS);
    this.#running.add(deadline);
    try {
      const { answer, tracker } = await this.#announce(torrent, port, event, deadline.signal);
      return this.#answer(torrent, port, answer, tracker);
    } catch (error) {
      // Some are silent about torrents that they do not know, and one announcement may be lost among others.
      if (isWelcome && this.#answeredAt <= askedAt) this.#downSince ??= askedAt;
      const pauseMs = this.#failed(reasonOf(error));
      return { againMs: pauseMs, pauseMs };
    } finally {
      this.#running.delete(deadline);
      timer.clear();
    }
  }

  #answer(torrent: InfoHash, port: number, answer: TrackerAnswer, tracker: string | undefined): Turn {
    const { random, report, clock } = this.#deps;
    this.#answeredAt = clock.now();
    switch (answer.kind) {
      case 'peers': {
        const leastMs = bounded(answer.leastS ?? LEAST_INTERVAL_S) * 1000;
        this.#recovered();
        this.#found += report(torrent, answer.peers, 'tracker', tracker);
        const asked = bounded(answer.intervalS ?? DEFAULT_INTERVAL_S);
        const interval = Math.max(leastMs, jittered(asked * 1000, random));
        const { usual = 0, fewer = 0 } = this.#announced.get(torrent) ?? {};
        const now = { port, at: clock.now(), leastMs, refusals: 0 };
        // A tracker that was started anew knows only who came since, and the others come one by one.
        const isFewer = answer.peers.length * 2 <= usual;
        const soon = Math.max(leastMs, backOff(fewer + 1, FORGOTTEN_MS, interval, random));
        if (usual > 0 && isFewer && soon < interval) {
          this.#announced.set(torrent, { ...now, usual, fewer: fewer + 1 });
          return { againMs: soon };
        }
        this.#announced.set(torrent, { ...now, usual: answer.peers.length, fewer: 0 });
        return { againMs: interval };
      }
      case 'refused':
      case 'malformed': {
        // this torrent only: others may be welcome (opentracker answers by UDP with half an answer to those that are not)
        this.#failures = 0;
        if (answer.kind === 'refused') this.#announceAnew();
        const { refusals: before = 0, usual = 0, fewer = 0 } = this.#announced.get(torrent) ?? {};
        const refusals = before + 1;
        const leastMs = LEAST_INTERVAL_S * 1000;
        this.#announced.set(torrent, { port, at: clock.now(), leastMs, refusals, usual, fewer });
        this.#warn(answer.kind === 'refused' ? `it refuses: ${answer.reason}` : answer.reason);
        return { againMs: backOff(refusals, LEAST_INTERVAL_S * 1000, MOST_RETRY_MS, random) };
      }
    }
  }

  async #goodbye(torrent: InfoHash): Promise<void> {
    const known = this.#announced.get(torrent);
    this.#announced.delete(torrent);
    if (known === undefined || known.refusals > 0 || this.#failures > 0 || this.#goodbyes >= MAX_GOODBYES) return;
    const end = new AbortController();
    const timer = this.#deps.clock.setTimeout(() => end.abort(new Error('too slow')), GOODBYE_MS);
    this.#goodbyes += 1;
    try {
      await this.#announce(torrent, known.port, 'stopped', end.signal);
    } catch {
      // the tracker forgets this machine by itself
    } finally {
      this.#goodbyes -= 1;
      timer.clear();
    }
  }

  #announce(torrent: InfoHash, port: number, event: AnnounceEvent, signal: AbortSignal): Promise<AnnounceResult> {
    const { url, peerId, ca } = this.#deps;
    const wanted = event === 'stopped' ? 0 : 50;
    const what: Announcement = { infoHash: torrent, peerId, port, event, key: this.#key, wanted };
    return url.startsWith('udp:') ? announceUdp(this.#url, what, signal) : announceHttp(this.#url, what, signal, ca);
  }

  /** Returns how long to leave the tracker alone. */
  #failed(reason: string): number {
    const { clock, random } = this.#deps;
    const now = clock.now();
    // announcements that were on their way together fail together, and that is one failure
    if (now < this.#retryAt) return this.#retryAt - now;
    this.#failures += 1;
    if (!this.#stopped) this.#warn(reason);
    const pauseMs = backOff(this.#failures, FIRST_RETRY_MS, MOST_RETRY_MS, random);
    this.#retryAt = now + pauseMs;
    return pauseMs;
  }

  #recovered(): void {
    const { log } = this.#deps;
    if (this.#failures > 0) {
      log.info({ tracker: this.#name }, 'tracker answers again');
      this.#warnedAt = -Infinity;
    }
    this.#announceAnew();
    this.#failures = 0;
    this.#error = undefined;
    this.#answered = true;
  }

  /** A tracker that was down has forgotten what was announced before, and names this machine to nobody. */
  #announceAnew(): void {
    const { clock, random } = this.#deps;
    const now = clock.now();
    const before = this.#downSince;
    this.#downSince = undefined;
    if (before === undefined || now - this.#anewAt < ANEW_MS) return;
    this.#anewAt = now;
    const known = this.#queue.torrents.flatMap((id) => {
      const announced = this.#announced.get(id);
      return announced?.refusals === 0 && announced.at < before ? [[id, announced] as const] : [];
    });
    const waits = new Map(
      known.map(([id, { at, leastMs }]) => [id, Math.max(random() * FORGOTTEN_MS, at + leastMs - now)]),
    );
    this.#queue.hurry([...waits.keys()], (id) => waits.get(id) ?? 0);
  }

  #warn(reason: string): void {
    const { clock, log } = this.#deps;
    this.#error = reason.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
    const now = clock.now();
    if (now - this.#warnedAt < WARN_AGAIN_MS) return;
    this.#warnedAt = now;
    log.warn({ tracker: this.#name, reason: this.#error }, 'tracker does not work');
  }
}

function bounded(seconds: number): number {
  return Math.min(MOST_INTERVAL_S, Math.max(LEAST_INTERVAL_S, seconds));
}

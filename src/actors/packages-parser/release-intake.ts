/** What is done with each Release that comes: checked, and adopted as a whole when it is newer than what is known. */
import type { ArchiveKey, ArchiveState } from '../../core/archive/archive-state.ts';
import { archiveKey } from '../../core/archive/archive-state.ts';
import { locate, type Location } from '../../core/archive/location.ts';
import { joinMirrorUrl } from '../../core/archive/mirror-path.ts';
import { isOlder } from '../../core/archive/release.ts';
import { buildReleaseSegment } from '../../core/archive/release-segment.ts';
import { asDebtorrentError, DebtorrentError, type ErrorCode } from '../../core/errors.ts';
import { unsignedMetadataPlan } from '../../core/fetch-plan.ts';
import type { MirrorUrl, Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { ArchiveTable, Known } from './archive-table.ts';
import type { CatalogueStore } from './catalogue-store.ts';
import type { FetcherProtocol } from './collaborators.ts';
import type { IndexKeeper } from './index-keeper.ts';
import { Turnstile } from './load-queue.ts';
import type { Publisher } from './publisher.ts';
import { readSigned, type CheckedRelease, type ReadRelease, type ReleaseCheck } from './release-check.ts';
import type { RememberedUses } from './remembered-uses.ts';
import { isOneMessage } from './signature.ts';

export interface FetchedRelease {
  /** What was asked for: InRelease, or Release. */
  readonly url: MirrorUrl;
  /** Files that can be read now: one of inRelease and release; the signature is fetched when it is not given. */
  readonly inRelease?: string;
  readonly release?: string;
  readonly signature?: string;
}

export type ReleaseVerdict =
  | { readonly adopted: true; readonly archive: ArchiveState; readonly changed: boolean }
  | {
      readonly adopted: false;
      readonly code: ErrorCode;
      readonly message: string;
      /** There is an adopted one, and clients may go by this one in place of it. */
      readonly diverges: boolean;
    };

export interface ReleaseIntakeDeps {
  readonly table: ArchiveTable;
  readonly check: ReleaseCheck;
  readonly store: CatalogueStore;
  readonly uses: RememberedUses;
  readonly indexes: IndexKeeper;
  readonly publisher: Publisher;
  readonly fetcher: ActorRef<FetcherProtocol>;
  readonly log: Logger;
}

export type ReleaseLocation = Extract<Location, { kind: 'release' }>;

/** Milliseconds for a Release that no client is fetching. */
const FETCH_MS = 60_000;
const MAX_REFUSED = 1024;
/** Refusals that are the same for the same file as long as the keyrings are; what else there is may pass. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'SIGNATURE_UNKNOWN_KEY',
  'RELEASE_MALFORMED',
  'NOT_FOUND',
  'GONE',
  'FORBIDDEN',
]);

export class ReleaseIntake {
  readonly #deps: ReleaseIntakeDeps;
  /** Releases of one archive are looked at one after the other. */
  readonly #turns = new Map<ArchiveKey, { readonly turnstile: Turnstile; waiting: number }>();
  /** What was refused for good, as `#asSeen` has it. */
  readonly #refused = new Set<string>();

  constructor(deps: ReleaseIntakeDeps) {
    this.#deps = deps;
  }

  async take(input: FetchedRelease): Promise<ReleaseVerdict> {
    const verdict = await this.#verdict(input);
    if (!verdict.adopted && LASTING.has(verdict.code)) {
      this.#refused.add(await this.#asSeen(input));
      const [oldest] = this.#refused;
      if (oldest !== undefined && this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
    }
    return verdict;
  }

  /**
   * A client was told that it has this Release already. What was refused is not looked at once more: its signature
   * would be asked of the mirror for that, which APT does not do then.
   */
  async takeConfirmed(input: FetchedRelease): Promise<void> {
    if (!this.#refused.has(await this.#asSeen(input))) await this.take(input);
  }

  /** Clients may go by a Release that nobody has checked; what is known of the archive is saved as out of step with it. */
  async unsigned(releaseDir: MirrorUrl): Promise<void> {
    const key = archiveKey(releaseDir);
    await this.#inTurn(key, () => this.#setDiverged(key, true));
  }

  async #verdict(input: FetchedRelease): Promise<ReleaseVerdict> {
    try {
      const location = locate(input.url);
      if (location.kind !== 'release') throw malformed(`${input.url} is no Release of an archive`);
      return await this.#inTurn(archiveKey(location.releaseDir), () => this.#take(input, location));
    } catch (error) {
      return this.#rejected(input.url, error, false);
    }
  }

  /** The store's paths stand for one content. */
  async #asSeen({ url, inRelease, release }: FetchedRelease): Promise<string> {
    return [url, inRelease ?? release, await this.#deps.check.trust()].join('\n');
  }

  async #take(input: FetchedRelease, location: ReleaseLocation): Promise<ReleaseVerdict> {
    const payload = input.inRelease ?? input.release;
    if (payload === undefined) throw malformed('there is no file');
    const signature =
      input.inRelease === undefined
        ? (input.signature ?? (await this.#fetch(joinMirrorUrl(location.releaseDir, 'Release.gpg'))))
        : undefined;
    const signed = await readSigned(payload, signature);
    const known = this.#deps.table.get(archiveKey(location.releaseDir));
    try {
      return await this.#judge(signed, location, known);
    } catch (error) {
      const isOther = known !== undefined && known.state.verified !== signed.identity;
      const diverges = isOther && mayBeTaken(signed);
      if (diverges) await this.#setDiverged(known.state.key, true);
      return this.#rejected(input.url, error, diverges);
    }
  }

  async #judge(signed: ReadRelease, location: ReleaseLocation, known: Known | undefined): Promise<ReleaseVerdict> {
    const { check, table } = this.#deps;
    const trust = await check.trust();
    if (known?.state.verified === signed.identity && known.trust === trust) {
      check.requireCurrent(known.state);
      this.#deps.indexes.ensure(known.state.key);
      await this.#setDiverged(known.state.key, false);
      return { adopted: true, archive: table.get(known.state.key)?.state ?? known.state, changed: false };
    }
    const checked = await this.#check(signed, known);
    if (known) requireProgress(checked, known, { trust, isFromFuture: check.isFromFuture(known.state) });
    const releaseName = signed.signature === undefined ? 'InRelease' : 'Release';
    return this.#adopt({ checked, location, releaseName, verified: signed.identity, trust });
  }

  async #check(signed: ReadRelease, known: Known | undefined): Promise<CheckedRelease> {
    try {
      return await this.#deps.check.check(signed);
    } catch (error) {
      const untrusted = error instanceof DebtorrentError && error.code.startsWith('SIGNATURE_');
      // the very bytes that were adopted are not trusted any more: a key was withdrawn
      if (untrusted && known?.state.verified === signed.identity) this.#forget(known);
      throw error;
    }
  }

  async #adopt(found: {
    readonly checked: CheckedRelease;
    readonly location: ReleaseLocation;
    readonly releaseName: 'InRelease' | 'Release';
    readonly verified: Sha256;
    readonly trust: string;
  }): Promise<ReleaseVerdict> {
    const { table, store, uses, indexes, publisher, log } = this.#deps;
    const { checked, location, releaseName, verified, trust } = found;
    const { root, releaseDir, layout } = location;
    const segment = buildReleaseSegment(checked.release);
    const segmentFile = await store.writeSegment(segment);
    const { state, removed } = table.adopt({
      ...{ root, releaseDir, layout, releaseName, verified, trust, segment, segmentFile },
      release: checked.release,
      public: checked.public,
      uses: uses.take(archiveKey(releaseDir)),
    });
    if (removed) uses.remember(removed);
    const { key, origin, codename } = state;
    const date = new Date(state.date).toISOString();
    log.info(
      { archive: key, origin, codename, date, files: checked.release.files.size, public: state.public },
      'Release adopted',
    );
    for (const url of uses.takeUrls()) indexes.used(url);
    indexes.ensure(key);
    await publisher.publish();
    return { adopted: true, archive: state, changed: true };
  }

  #rejected(url: MirrorUrl, error: unknown, diverges: boolean): ReleaseVerdict {
    const { code, message } = asDebtorrentError(error);
    this.#deps.log.warn({ url, code, reason: message }, 'Release rejected');
    return { adopted: false, code, message, diverges };
  }

  /** It is saved, too: a daemon that starts again has to go by what its clients have. */
  async #setDiverged(key: ArchiveKey, diverged: boolean): Promise<void> {
    if (this.#deps.table.setDiverged(key, diverged)) await this.#deps.publisher.publish();
  }

  #forget({ state }: Known): void {
    this.#deps.table.remove(state.key);
    this.#deps.uses.remember(state);
    void this.#deps.publisher.publish();
  }

  async #fetch(url: MirrorUrl): Promise<string> {
    const fetcher = this.#deps.fetcher.within(FETCH_MS);
    const file = await fetcher.ask('fetch', unsignedMetadataPlan(url));
    return file.finalPath ?? file.path;
  }

  async #inTurn<T>(key: ArchiveKey, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(key) ?? { turnstile: new Turnstile(), waiting: 0 };
    this.#turns.set(key, turn);
    turn.waiting++;
    try {
      return await turn.turnstile.through(work);
    } finally {
      if (--turn.waiting === 0) this.#turns.delete(key);
    }
  }
}

interface Present {
  /** Stamp of the keyrings. */
  readonly trust: string;
  /** The known one is dated in the future: it was taken while this machine's clock was ahead, and bars nothing. */
  readonly isFromFuture: boolean;
}

/**
 * Nobody goes back in time, and any trusted key will do for an archive only until a public keyring has vouched for it:
 * else whoever holds the key of some small archive, and sits on the way to the mirror, could take its place.
 */
function requireProgress(next: CheckedRelease, { state, trust }: Known, now: Present): void {
  if (state.public && !next.public && trust === now.trust) {
    throw new DebtorrentError('SIGNATURE_UNKNOWN_KEY', 'it is not signed by the public keys that signed it before');
  }
  if (!isOlder(next.release, state) || (next.public && !state.public) || now.isFromFuture) return;
  const dates = [next.release.date, state.date].map((date) => new Date(date).toISOString());
  throw new DebtorrentError('RELEASE_OLDER', `the Release is of ${dates[0]}, the one known of ${dates[1]}`);
}

/**
 * Whether some client may go by a Release that is rejected here: it may trust other keys, or whatever comes without any
 * ([trusted=yes]), ignore dates, be new to the archive, or read more than we do. Its indexes and packages have other
 * content under the same names then, so those are no longer checked by what was adopted before, or they would be refused
 * until the next Release.
 *
 * Whoever serves the archive, or sits on the way to it, can bring this about: by a key of his own, by no signature or a
 * wrong one, by an old Release. He gains that plain names go through as they come from him, no longer from peers or
 * other mirrors; APT checks each of them by the Release that it trusts, so he can make downloads fail, as he can without
 * a daemon, but slip nothing in. What is adopted stays: it bars older Releases, vouches for names that are hashes and for
 * what peers get, and answers again with the next right Release, by content, whatever came under the names meanwhile. An
 * InRelease that is no signed message at all (a captive portal's page) no client takes: for that he gets nothing.
 */
function mayBeTaken({ payload, signature }: ReadRelease): boolean {
  return signature !== undefined || isOneMessage(payload);
}

function malformed(message: string): DebtorrentError {
  return new DebtorrentError('RELEASE_MALFORMED', message);
}

/**
 * The actor that knows archives. It verifies each Release that clients fetch, adopts it as a whole, and keeps the
 * indexes that clients use loaded, whether they fetch them, patch their own copies or have them already.
 */
import type { ArchiveKey, ArchiveState } from '../../core/archive/archive-state.ts';
import { archiveKey } from '../../core/archive/archive-state.ts';
import { torrentId } from '../../core/archive/torrent-id.ts';
import { locate } from '../../core/archive/location.ts';
import type { DatedClock } from '../../core/clock.ts';
import { asDebtorrentError } from '../../core/errors.ts';
import type { MirrorUrl } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import type { ActorRef, Behaviour } from '../../kernel/protocol.ts';
import { ArchiveTable } from './archive-table.ts';
import { CatalogueStore } from './catalogue-store.ts';
import type { CatalogueReaderProtocol, FetcherProtocol, RoomProtocol } from './collaborators.ts';
import { defaultUses } from './default-uses.ts';
import { IndexKeeper } from './index-keeper.ts';
import { KeyringSource } from './keyrings.ts';
import { LostKeyrings } from './lost-keyrings.ts';
import { machineArchitecture } from './machine-architecture.ts';
import { Publisher, type Snapshot } from './publisher.ts';
import { ReleaseCheck } from './release-check.ts';
import { ReleaseIntake, type FetchedRelease, type ReleaseVerdict } from './release-intake.ts';
import { RememberedUses } from './remembered-uses.ts';
import { SignatureVerifier } from './signature.ts';

export interface PackagesParserProtocol {
  /** Resolves when the Release is in force everywhere, or rejected. */
  releaseFetched(input: FetchedRelease): ReleaseVerdict;
  /**
   * Somebody uses this index, in whatever form: it is loaded if it is not. Other metadata is nothing to it. Replies
   * when the gateway's catalogue says whether it is being loaded.
   */
  indexUsed(url: MirrorUrl): true;
  /** The client has this Release already: what is used of it is loaded, or what this machine would use. */
  releaseConfirmed(release: FetchedRelease): void;
  /** Clients were given a Release of this directory that nobody can check, or has no signature: some go by it. */
  releaseUnsigned(releaseDir: MirrorUrl): void;
  archives(): ArchiveState[];
}

export interface PackagesParserDeps {
  /** Where the catalogue is kept; made if need be, used by nobody else. */
  readonly catalogueDir: string;
  readonly fetcher: ActorRef<FetcherProtocol>;
  readonly gateway: ActorRef<CatalogueReaderProtocol>;
  readonly room: ActorRef<RoomProtocol>;
  /** Paths of the keyrings that are trusted, as of now. */
  readonly keyrings: () => Promise<readonly string[]>;
  /** Paths of the keyrings whose archives may be shared with peers. */
  readonly publicKeyrings: () => Promise<readonly string[]>;
  /** Those of both that the configuration names, which are to be there. */
  readonly namedKeyrings?: readonly string[];
  /** Whether a Release past its Valid-Until is refused. Default: true. */
  readonly checkValidUntil?: boolean;
  /** Debian's name of the architecture that is loaded when nothing is known. Default: dpkg's. */
  readonly architecture?: string;
  readonly swarmKey?: Uint8Array;
  /** Names of programs, for tests. */
  readonly programs?: { readonly gpgv?: string; readonly sqv?: string };
  readonly clock: DatedClock;
  readonly log: Logger;
}

export interface PackagesParser {
  readonly behaviour: Behaviour<PackagesParserProtocol>;
  /** Ends what is being loaded and saves what is known. */
  stop(): Promise<void>;
}

/** Milliseconds: many files may have to go. */
const ROOM_MS = 60_000;
/** A Release that was confirmed is looked at again after this, in milliseconds. */
const CONFIRM_MS = 30_000;
const MAX_CONFIRMED = 1024;
/** Of no archive: its id stands for the key alone. */
const NO_SUBJECT = { origin: '', codename: '', suite: '', component: '', architecture: '' };

/** Reads the saved catalogue; resolves when the gateway goes by it. Nothing is parsed for that. */
export async function createPackagesParser(deps: PackagesParserDeps): Promise<PackagesParser> {
  const { catalogueDir: dir, fetcher, gateway, room, clock, log, programs } = deps;
  const store = new CatalogueStore(dir, log, (bytes) => room.within(ROOM_MS).ask('makeRoom', bytes));
  const loaded = await store.open();
  const ending = new AbortController();
  const { signal } = ending;
  const lost = new LostKeyrings(log, deps.namedKeyrings);
  const check = new ReleaseCheck({
    verifier: new SignatureVerifier({ dir, signal, ...programs }),
    trusted: new KeyringSource({ dir, name: 'trusted', list: deps.keyrings, lost, log }),
    sharing: new KeyringSource({ dir, name: 'public', list: deps.publicKeyrings, lost, log }),
    checkValidUntil: deps.checkValidUntil ?? true,
    swarm: deps.swarmKey && ` ${torrentId(NO_SUBJECT, deps.swarmKey)}`,
    clock,
  });
  const table = new ArchiveTable(deps.swarmKey);
  const uses = new RememberedUses(loaded.uses);
  for (const lost of loaded.lost) uses.remember(lost);
  const trust = await check.trust();
  for (const known of loaded.archives) {
    // one from the future would bar all that come until then
    if (known.trust === trust && !check.isFromFuture(known.state)) table.restore(known, loaded.segments);
    else uses.remember(known.state);
  }
  const state = (): Snapshot => {
    const known = table.all();
    const memory = known.flatMap(({ segments }) =>
      [...segments].map(([file, segment]) => [file, segment.memory] as const),
    );
    return {
      saved: { archives: known.map((k) => ({ state: k.state, trust: k.trust })), uses: uses.toJSON() },
      update: { archives: known.map((k) => k.state), segments: new Map(memory) },
    };
  };
  const publisher = new Publisher({ gateway, store, clock, log, state });
  const indexes = new IndexKeeper({ table, store, uses, publisher, fetcher, room, clock, log, signal });
  const intake = new ReleaseIntake({ table, check, store, uses, indexes, publisher, fetcher, log });
  const confirmed = new Map<ArchiveKey, number>();

  /** Once in a while for each archive, however many clients ask. */
  function isDue(key: ArchiveKey): boolean {
    const now = clock.now();
    const last = confirmed.get(key);
    if (last !== undefined && now - last < CONFIRM_MS) return false;
    confirmed.delete(key);
    confirmed.set(key, now);
    const [oldest] = confirmed.keys();
    if (confirmed.size > MAX_CONFIRMED && oldest !== undefined) confirmed.delete(oldest);
    return true;
  }

  async function confirm(release: FetchedRelease): Promise<void> {
    const location = locate(release.url);
    if (location.kind !== 'release') return;
    const key = archiveKey(location.releaseDir);
    if (!isDue(key)) return;
    if (!table.get(key)) await intake.takeConfirmed(release);
    const known = table.get(key);
    if (!known) return;
    if (known.state.indexes.length > 0) indexes.ensure(key);
    else {
      const architecture = deps.architecture ?? (await machineArchitecture());
      for (const use of defaultUses(known.state, known.release, architecture)) indexes.use(key, use);
    }
  }

  await publisher.publish();
  for (const { state: archive } of table.all()) indexes.ensure(archive.key);

  return {
    behaviour: {
      releaseFetched: (input) => intake.take(input),
      async indexUsed(url) {
        indexes.used(url);
        await publisher.told();
        return true as const;
      },
      releaseConfirmed(release) {
        confirm(release).catch((error: unknown) =>
          log.error({ url: release.url, err: asDebtorrentError(error) }, 'Release not looked at'),
        );
      },
      releaseUnsigned: (releaseDir) => void intake.unsigned(releaseDir),
      archives: () => table.all().map((k) => k.state),
    },
    async stop() {
      ending.abort();
      indexes.stop();
      await publisher.stop();
    },
  };
}

/**
 * Release files on their way to clients: each one is shown to the packages parser before its answer ends, so that
 * what a client was served is what the catalogue goes by when the client asks for the indexes that it lists.
 */
import { archiveKey, type ArchiveKey, type ArchiveState } from '../core/archive/archive-state.ts';
import type { Catalogue } from '../core/archive/catalogue.ts';
import { asDebtorrentError, type ErrorCode } from '../core/errors.ts';
import type { locate } from '../core/archive/location.ts';
import { unsignedMetadataPlan } from '../core/fetch-plan.ts';
import type { MirrorUrl, Sha256 } from '../core/ids.ts';
import type { Logger } from '../core/logging.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import type { PackagesParserProtocol } from '../actors/packages-parser/packages-parser.ts';
import type { TransfersProtocol, WholeFile } from '../actors/transfers/protocol.ts';

export interface ReleaseWatchDeps {
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly parser: ActorRef<PackagesParserProtocol>;
  readonly catalogue: Pick<Catalogue, 'setDiverged' | 'archives'>;
  readonly log: Logger;
}

type ReleaseLocation = Extract<ReturnType<typeof locate>, { kind: 'release' }>;

/** Verification takes a tenth of a second; a client is not kept waiting longer than this, in milliseconds. */
const VERDICT_MS = 8_000;
/** Release files whose signature may still be asked for. */
const MAX_WAITING = 256;
/** The mirror has no such file. */
const ABSENT: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND', 'GONE', 'FORBIDDEN']);

export class ReleaseWatch {
  readonly #deps: ReleaseWatchDeps;
  /** Release files without a signature inside, until their Release.gpg comes. */
  readonly #releases = new Map<MirrorUrl, { readonly url: MirrorUrl; readonly path: string }>();

  constructor(deps: ReleaseWatchDeps) {
    this.#deps = deps;
  }

  /** Resolves when the parser has adopted or rejected the file, or has no time. Never rejects. */
  async fetched(location: ReleaseLocation, url: MirrorUrl, file: WholeFile): Promise<void> {
    const { releaseDir, name } = location;
    const path = file.finalPath;
    if (name === 'InRelease') {
      await this.#submit(releaseDir, { url, inRelease: path });
    } else if (name === 'Release') {
      this.#releases.delete(releaseDir);
      this.#releases.set(releaseDir, { url, path });
      const [oldest] = this.#releases.keys();
      if (oldest !== undefined && this.#releases.size > MAX_WAITING) this.#releases.delete(oldest);
    } else {
      const release = this.#releases.get(releaseDir) ?? (await this.#fetchRelease(releaseDir));
      if (release === undefined) return;
      await this.#submit(releaseDir, { url: release.url, release: release.path, signature: path });
    }
  }

  /** The client has this Release already; its indexes have to be known here all the same. */
  confirmed({ name }: ReleaseLocation, url: MirrorUrl, { finalPath }: WholeFile): void {
    if (name === 'Release.gpg') return;
    this.#deps.parser.tell('releaseConfirmed', { url, [name === 'InRelease' ? 'inRelease' : 'release']: finalPath });
  }

  /** Without its signature a client goes by the Release all the same if its configuration lets it ([trusted=yes]). */
  failed({ name, releaseDir }: ReleaseLocation, code: ErrorCode): void {
    if (name !== 'Release.gpg' || !ABSENT.has(code) || !this.#releases.has(releaseDir)) return;
    this.#deps.catalogue.setDiverged(archiveKey(releaseDir), true);
    this.#deps.parser.tell('releaseUnsigned', releaseDir);
  }

  /**
   * One that passes by a store that is full: nobody checks it, and the client may go by it, also when it is newer than
   * the adopted one. `begun` is to be called before its first byte is sent, and `ended` with the hash of all of it.
   */
  passing({ name, releaseDir }: ReleaseLocation): { begun(): void; ended(sha256: Sha256 | undefined): void } {
    const { catalogue, parser } = this.#deps;
    const key = archiveKey(releaseDir);
    return {
      begun: () => catalogue.setDiverged(key, true),
      ended: (sha256) => {
        const isOther = name !== 'InRelease' || sha256 !== this.#known(key)?.verified;
        catalogue.setDiverged(key, isOther);
        if (isOther) parser.tell('releaseUnsigned', releaseDir);
      },
    };
  }

  /**
   * One that comes so slowly that the client is given it as it comes: it is checked when all of it is there, and until
   * then the client may go by it already.
   */
  late(location: ReleaseLocation, url: MirrorUrl, arriving: Promise<WholeFile>): void {
    const { catalogue } = this.#deps;
    const key = archiveKey(location.releaseDir);
    catalogue.setDiverged(key, true);
    arriving
      .then((file) => this.fetched(location, url, file))
      .catch(() => {
        // nobody has all of it
        catalogue.setDiverged(key, this.#known(key)?.diverged === true);
      });
  }

  #known(key: ArchiveKey): ArchiveState | undefined {
    return this.#deps.catalogue.archives().find((archive) => archive.key === key);
  }

  async #submit(releaseDir: MirrorUrl, input: Parameters<PackagesParserProtocol['releaseFetched']>[0]): Promise<void> {
    const { parser, catalogue, log } = this.#deps;
    try {
      const verdict = await parser.within(VERDICT_MS).ask('releaseFetched', input);
      // why one was refused is in the parser's log
      if (verdict.adopted || verdict.diverges) catalogue.setDiverged(archiveKey(releaseDir), !verdict.adopted);
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      catalogue.setDiverged(archiveKey(releaseDir), true);
      log.warn({ url: input.url, code, reason: message }, 'release not checked');
    }
  }

  async #fetchRelease(releaseDir: MirrorUrl): Promise<{ url: MirrorUrl; path: string } | undefined> {
    const url = `${releaseDir}/Release` as MirrorUrl;
    try {
      const { finalPath } = await this.#deps.transfers.within(20_000).ask('fetch', unsignedMetadataPlan(url));
      return { url, path: finalPath };
    } catch {
      return undefined;
    }
  }
}

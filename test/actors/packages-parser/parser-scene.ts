/**
 * The packages parser among real neighbours: a fetcher that takes files from a generated archive, and a gateway that
 * holds the catalogue as the daemon's does.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  FetchedFile,
  FetcherProtocol,
  CatalogueReaderProtocol,
  RoomProtocol,
} from '../../../src/actors/packages-parser/collaborators.ts';
import {
  createPackagesParser,
  type PackagesParserDeps,
  type PackagesParserProtocol,
} from '../../../src/actors/packages-parser/packages-parser.ts';
import type { ReleaseVerdict } from '../../../src/actors/packages-parser/release-intake.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { DebtorrentError } from '../../../src/core/errors.ts';
import type { FetchPlan } from '../../../src/core/fetch-plan.ts';
import type { MirrorUrl, Sha256 } from '../../../src/core/ids.ts';
import { CatalogueView } from '../../../src/actors/catalogue-view.ts';
import { spawn, type LocalActor } from '../../../src/kernel/actor.ts';
import type { Archive } from '../../support/archive.ts';
import { until } from '../../support/process.ts';
import { sha256 } from '../../support/random.ts';

export const HOST = 'http://ftp.us.debian.org';

export class ParserScene {
  readonly archive: Archive;
  /** Holds the catalogue and the fetcher's files; deleted by close. */
  readonly dir = mkdtempSync(join(tmpdir(), 'dt-parser-'));
  readonly catalogueDir = join(this.dir, 'catalogue');
  view!: CatalogueView;
  /** Paths below the mirror's root, in the order they were fetched. */
  fetched: string[] = [];
  suspects: Sha256[] = [];
  readonly warnings: string[] = [];
  /** Called while the parser logs at info. */
  logged: (message: string) => void = () => undefined;
  /** What the gateway waits for before it takes a catalogue. */
  gatewayWaits: Promise<void> = Promise.resolve();
  /** Answers instead of the archive: by path below the mirror's root, a file or an error. */
  readonly instead = new Map<string, string | DebtorrentError>();
  #parser: LocalActor<PackagesParserProtocol> | undefined;
  #others: LocalActor<never>[] = [];

  constructor(archive: Archive) {
    this.archive = archive;
  }

  async start(changes: Partial<PackagesParserDeps> = {}): Promise<this> {
    const warn = (fields: object, message: string): void =>
      void this.warnings.push(`${message} ${JSON.stringify(fields)}`);
    const log = {
      debug: () => undefined,
      info: (_: object, message: string) => this.logged(message),
      warn,
      error: warn,
    };
    const view = new CatalogueView();
    this.view = view;
    this.fetched = [];
    this.suspects = [];
    const fetcher = spawn<FetcherProtocol>({
      name: 'fetcher',
      log,
      behaviour: {
        fetch: (plan) => this.#fetch(plan),
        suspect: (sha) => void this.suspects.push(sha),
      },
    });
    const gateway = spawn<CatalogueReaderProtocol>({
      name: 'gateway',
      log,
      behaviour: { catalogueChanged: async (update) => (await this.gatewayWaits, view.update(update), true) },
    });
    const room = spawn<RoomProtocol>({ name: 'room', log, behaviour: { makeRoom: () => true as const } });
    const parser = await createPackagesParser({
      catalogueDir: this.catalogueDir,
      fetcher: fetcher.ref,
      gateway: gateway.ref,
      room: room.ref,
      keyrings: async () => [this.archive.keys.keyring],
      publicKeyrings: async () => [this.archive.keys.keyring],
      architecture: 'amd64',
      clock: systemClock,
      log,
      ...changes,
    });
    this.#parser = spawn<PackagesParserProtocol>({
      name: 'parser',
      log,
      behaviour: parser.behaviour,
      stop: parser.stop,
    });
    this.#others = [fetcher, gateway, room] as unknown as LocalActor<never>[];
    return this;
  }

  async stop(): Promise<void> {
    await this.#parser?.stop();
    for (const actor of this.#others) await actor.stop();
  }

  async restart(changes: Partial<PackagesParserDeps> = {}): Promise<this> {
    await this.stop();
    return this.start(changes);
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get parser(): LocalActor<PackagesParserProtocol>['ref'] {
    if (!this.#parser) throw new Error('not started');
    return this.#parser.ref;
  }

  url(path: string): MirrorUrl {
    return `${HOST}${this.archive.url(path)}` as MirrorUrl;
  }

  meta(name: string): MirrorUrl {
    return this.url(this.archive.metaPath(name));
  }

  byHash(name: string): MirrorUrl {
    return this.url(this.archive.byHashPath(name));
  }

  file(path: string): string {
    return join(this.archive.root, this.archive.base, path);
  }

  /** The client fetches the Release in the form that there is. */
  release(): Promise<ReleaseVerdict> {
    const meta = (name: string): string => this.file(this.archive.metaPath(name));
    if (existsSync(meta('InRelease'))) {
      return this.parser.ask('releaseFetched', { url: this.meta('InRelease'), inRelease: meta('InRelease') });
    }
    const signature = existsSync(meta('Release.gpg')) ? { signature: meta('Release.gpg') } : {};
    return this.parser.ask('releaseFetched', { url: this.meta('Release'), release: meta('Release'), ...signature });
  }

  /** A client was told that it has the Release already. */
  confirmed(): void {
    const file = (name: string): string => this.file(this.archive.metaPath(name));
    const release = existsSync(file('InRelease'))
      ? { url: this.meta('InRelease'), inRelease: file('InRelease') }
      : { url: this.meta('Release'), release: file('Release') };
    this.parser.tell('releaseConfirmed', release);
  }

  /** A client uses the index; resolves when it is loaded. */
  async use(url: MirrorUrl): Promise<void> {
    await this.parser.ask('indexUsed', url);
    await this.loaded();
  }

  /** Resolves when there is an index in use and none is being loaded. */
  async loaded(): Promise<void> {
    await until('all indexes are loaded', async () => {
      const used = (await this.parser.ask('archives')).flatMap((a) => a.indexes);
      const shown = this.view.catalogue.archives().flatMap((a) => a.indexes);
      return (
        used.length > 0 && used.every((i) => i.status !== 'loading') && JSON.stringify(used) === JSON.stringify(shown)
      );
    });
  }

  size(path: string): number | undefined {
    return this.view.catalogue.lookup(this.url(path))?.size;
  }

  #fetch(plan: FetchPlan): FetchedFile {
    for (const url of [plan.url, ...plan.alternates]) {
      const path = decodeURIComponent(url.slice(HOST.length));
      const instead = this.instead.get(path);
      this.fetched.push(path);
      if (instead instanceof DebtorrentError) throw instead;
      const file = instead ?? join(this.archive.root, path);
      if (!existsSync(file)) continue;
      const data = readFileSync(file);
      return { path: file, size: data.length, sha256: plan.sha256 ?? (sha256(data) as Sha256) };
    }
    throw new DebtorrentError('NOT_FOUND', `${plan.url} is not there`);
  }
}

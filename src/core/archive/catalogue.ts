/**
 * The read model of everything signed: which content a URL stands for. The gateway holds one and asks it for every
 * request; it is fed with the packages parser's states and the segments that they name, and touches no file itself.
 */
import type { InfoHash, MirrorUrl, Sha256 } from '../ids.ts';
import type { ArchiveKey, ArchiveState, IndexState, SegmentFile, TorrentSummary } from './archive-state.ts';
import { parseIndexName } from './index-name.ts';
import { mayContain } from './index-scope.ts';
import { basesOf, type Base } from './bases.ts';
import { joinMirrorUrl, splitMirrorUrl, splits } from './mirror-path.ts';
import type { Segment } from './segment.ts';

export interface CatalogueHit {
  readonly sha256: Sha256;
  /** Bytes. */
  readonly size: number;
  /** `index`: a form of Packages or Sources; `metadata`: anything else that a Release lists. */
  readonly kind: 'metadata' | 'index' | 'package' | 'source';
  readonly archive: ArchiveKey;
  /** Of metadata and indexes: the name that the Release lists, relative to its directory. */
  readonly indexPath?: string;
  /** Torrents that contain it; none unless the archive is public. */
  readonly torrents: readonly InfoHash[];
  /** Other addresses of the same content, the most likely first; at most 4. */
  readonly alternates: readonly MirrorUrl[];
  /**
   * True when it is known from an index of an earlier Release than the adopted one, whose own index is not loaded
   * (yet): the name may stand for other content by now. Wait while pendingFor says so.
   */
  readonly stale: boolean;
}

export interface ContentHit {
  readonly size: number;
  readonly torrents: readonly InfoHash[];
  /** Where mirrors have it. */
  readonly urls: readonly MirrorUrl[];
}

interface Table {
  readonly archive: ArchiveState;
  readonly index: IndexState;
  readonly segment: Segment;
}

interface Adopted {
  readonly state: ArchiveState;
  readonly release: Segment | undefined;
  readonly tables: readonly Table[];
}

/** An archive whose paths may be relative to a directory. */
type BaseOf = Base & { readonly adopted: Adopted };

const MAX_ALTERNATES = 4;
const BY_HASH = /^(?:(.*)\/)?by-hash\/[^/]+\/[^/]+$/;

export class Catalogue {
  /** Grows with each change, so that who remembers an answer knows when it is out of date. */
  get generation(): number {
    return this.#generation;
  }
  #generation = 0;
  readonly #archives = new Map<string, Adopted>();
  /** Archives whose last Release went to a client without being adopted (see setDiverged). */
  readonly #diverged = new Set<string>();
  /** Archives by the directories that their files' paths may be relative to; most trustworthy and newest first. */
  readonly #bases = new Map<string, BaseOf[]>();

  /** Takes the archive's state as it is now, in place of what was known of it. Segments that are not given are missing. */
  adopt(state: ArchiveState, segments: ReadonlyMap<SegmentFile, Segment>): void {
    const tables: Table[] = [];
    for (const index of state.indexes) {
      const segment = index.segment && segments.get(index.segment.file);
      if (segment) tables.push({ archive: state, index, segment });
    }
    tables.sort((a, b) => (b.index.segment?.date ?? 0) - (a.index.segment?.date ?? 0));
    if (state.diverged === true) this.#diverged.add(state.key);
    else if (this.#archives.get(state.key)?.state.verified !== state.verified) this.#diverged.delete(state.key);
    this.#archives.set(state.key, { state, release: segments.get(state.segment), tables });
    this.#changed();
  }

  remove(key: ArchiveKey): void {
    this.#diverged.delete(key);
    if (this.#archives.delete(key)) this.#changed();
  }

  /**
   * Clients were given another Release of the archive than the adopted one: names of indexes stand for other content
   * then, and names of packages may, so look-ups by them do not answer for it. Names that are hashes, content by its
   * hash, and packages of an archive that has by-hash, are the same to both.
   */
  setDiverged(key: ArchiveKey, diverged: boolean): void {
    if (!this.#archives.has(key) || this.#diverged.has(key) === diverged) return;
    if (diverged) this.#diverged.add(key);
    else this.#diverged.delete(key);
    this.#generation++;
  }

  archives(): ArchiveState[] {
    return [...this.#archives.values()].map((a) => a.state);
  }

  lookup(url: MirrorUrl): CatalogueHit | undefined {
    const path = splitMirrorUrl(url);
    if (!path || url.endsWith('/')) return undefined;
    for (const { key, rest } of splits(path)) {
      const hit = this.#archives.get(key)?.release?.lookup(rest);
      if (hit && (!this.#diverged.has(key) || BY_HASH.test(rest)))
        return this.#metadataHit(this.#archives.get(key) as Adopted, rest, hit, url);
    }
    for (const { key, rest } of splits(path)) {
      const found = this.#lookupPackage(key, rest);
      if (found) return this.#packageHit(found.table, found.hit, url);
    }
    return undefined;
  }

  /** What is known of some content, whatever its name: a file of an index, or one that a Release lists. */
  lookupSha(sha256: Sha256): ContentHit | undefined {
    const found = this.#whereIs(sha256);
    let { size } = found;
    const torrents = new Set(found.torrents);
    const urls = new Set(found.urls);
    for (const { state, release } of this.#archives.values()) {
      const entry = release?.lookupSha(sha256);
      if (!entry) continue;
      size ??= entry.size;
      urls.add(joinMirrorUrl(state.releaseDir, entry.path));
      if (state.public) for (const torrent of metadataTorrents(state, entry.path)) torrents.add(torrent);
    }
    return size === undefined ? undefined : { size, torrents: [...torrents], urls: [...urls] };
  }

  /**
   * True when an index that could name this URL's file is in use but still being fetched or parsed: waiting for the
   * next generation may turn a plain file into a known one.
   */
  pendingFor(url: MirrorUrl): boolean {
    const path = splitMirrorUrl(url);
    if (!path) return false;
    for (const { key, rest } of splits(path)) {
      for (const { adopted, within } of this.#bases.get(key) ?? []) {
        const { state } = adopted;
        if (this.#isVague(adopted) || !rest.startsWith(within)) continue;
        if (state.indexes.some((i) => i.status === 'loading' && mayContain(i, state.components, rest))) return true;
      }
    }
    return false;
  }

  /** Archives that the URL is within, by its path alone. */
  archivesFor(url: MirrorUrl): ArchiveState[] {
    const path = splitMirrorUrl(url);
    if (!path) return [];
    const found = new Set<ArchiveState>();
    for (const { key } of splits(path)) {
      for (const { adopted, guess } of this.#bases.get(key) ?? []) if (guess === 0) found.add(adopted.state);
    }
    return [...found];
  }

  /** Whether it lies in the directory of an archive's Release. */
  covers(url: MirrorUrl): boolean {
    const path = splitMirrorUrl(url);
    return path !== undefined && [...splits(path)].some(({ key }) => this.#archives.has(key));
  }

  /** One for each id; where several archives (mirrors of one) have it, as in the newest. */
  torrents(): TorrentSummary[] {
    const newest = new Map<InfoHash, TorrentSummary & { date: number }>();
    for (const { state, tables } of this.#archives.values()) {
      for (const { index } of tables) {
        if (!index.segment) continue;
        const { date, files, bytes } = index.segment;
        const other = newest.get(index.torrent);
        const isPublic = state.public || (other?.public ?? false);
        const shown =
          other && other.date >= date ? other : { id: index.torrent, name: index.torrentName, files, bytes, date };
        newest.set(index.torrent, { ...shown, public: isPublic });
      }
    }
    return [...newest.values()].map(({ date: _, ...summary }) => summary);
  }

  #changed(): void {
    this.#generation++;
    this.#bases.clear();
    for (const adopted of this.#archives.values()) {
      for (const base of basesOf(adopted.state)) {
        const bases = this.#bases.get(base.key) ?? [];
        bases.push({ ...base, adopted });
        this.#bases.set(base.key, bases);
      }
    }
    for (const bases of this.#bases.values()) {
      bases.sort((a, b) => a.guess - b.guess || b.adopted.state.date - a.adopted.state.date);
    }
  }

  /** Names of its packages may stand for other content. Archives with by-hash never give one name to two contents. */
  #isVague({ state }: Adopted): boolean {
    return this.#diverged.has(state.key) && !state.acquireByHash;
  }

  /**
   * As the newest index has it. Nothing where two indexes that are in force differ: archives that share a pool, of which
   * one lists a file as it was before it was made anew. Only clients know by which of them they go.
   */
  #lookupPackage(key: string, rest: string) {
    let best: { table: Table; hit: { sha256: Sha256; size: number }; date: number; guess: number } | undefined;
    let inForce: Sha256 | undefined;
    for (const { adopted, guess, within } of this.#bases.get(key) ?? []) {
      if (best && guess > best.guess) break;
      if (this.#isVague(adopted) || !rest.startsWith(within)) continue;
      for (const table of adopted.tables) {
        const hit = table.segment.lookup(rest);
        if (!hit) continue;
        if (table.index.status === 'loaded') {
          if (inForce !== undefined && inForce !== hit.sha256) return undefined;
          inForce = hit.sha256;
        }
        const date = table.index.segment?.date ?? 0;
        if (!best || date > best.date) best = { table, hit, date, guess };
      }
    }
    return best;
  }

  #packageHit(table: Table, hit: { sha256: Sha256; size: number }, url: MirrorUrl): CatalogueHit {
    const { archive, index } = table;
    const { torrents, urls } = this.#whereIs(hit.sha256);
    const own = withoutScheme(url);
    return {
      ...hit,
      kind: index.kind === 'sources' ? 'source' : 'package',
      archive: archive.key,
      torrents: archive.public ? torrents : [],
      alternates: urls.filter((u) => withoutScheme(u) !== own).slice(0, MAX_ALTERNATES),
      stale: index.status !== 'loaded',
    };
  }

  #metadataHit(adopted: Adopted, rest: string, hit: { sha256: Sha256; size: number }, url: MirrorUrl): CatalogueHit {
    const { state, release } = adopted;
    const { sha256 } = hit;
    const byHash = BY_HASH.exec(rest);
    const indexPath = byHash ? (release?.lookupSha(sha256)?.path ?? rest) : rest;
    const directory = byHash ? (byHash[1] ?? '') : rest.slice(0, Math.max(0, rest.lastIndexOf('/')));
    const canonical = `${directory === '' ? '' : `${directory}/`}by-hash/SHA256/${sha256}`;
    const candidates = state.acquireByHash ? [joinMirrorUrl(state.releaseDir, canonical)] : [];
    candidates.push(joinMirrorUrl(state.releaseDir, indexPath));
    for (const other of this.#archives.values()) {
      const elsewhere = other === adopted ? undefined : other.release?.lookupSha(sha256);
      if (elsewhere) candidates.push(joinMirrorUrl(other.state.releaseDir, elsewhere.path));
    }
    const own = withoutScheme(url);
    return {
      ...hit,
      kind: parseIndexName(indexPath)?.form === undefined ? 'metadata' : 'index',
      archive: state.key,
      indexPath,
      torrents: state.public ? metadataTorrents(state, indexPath) : [],
      alternates: candidates.filter((u) => withoutScheme(u) !== own).slice(0, MAX_ALTERNATES),
      stale: false,
    };
  }

  #whereIs(sha256: Sha256) {
    let size: number | undefined;
    const torrents = new Set<InfoHash>();
    const urls = new Set<MirrorUrl>();
    for (const { state, tables } of this.#archives.values()) {
      for (const { index, segment } of tables) {
        const entry = segment.lookupSha(sha256);
        if (!entry) continue;
        size ??= entry.size;
        if (state.public) torrents.add(index.torrent);
        if (state.layout === 'dists') urls.add(joinMirrorUrl(state.root, entry.path));
      }
    }
    return { size, torrents: [...torrents], urls: [...urls] };
  }
}

/** The index's own torrent; for other metadata those of its component, or of the whole archive. */
function metadataTorrents(state: ArchiveState, path: string): InfoHash[] {
  const name = parseIndexName(path);
  const own = name && state.indexes.filter((i) => i.name === name.base);
  const component = path.slice(0, Math.max(0, path.indexOf('/')));
  const near = own ?? state.indexes.filter((i) => i.component === component);
  return [...new Set((near.length > 0 ? near : state.indexes).map((i) => i.torrent))];
}

/** MirrorUrls are canonical: two are the same file's when only the scheme differs. */
function withoutScheme(url: MirrorUrl): string {
  return url.slice(url.indexOf(':'));
}

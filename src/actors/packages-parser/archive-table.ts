/**
 * The archives that are adopted, as the parser's own state: which indexes of them are in use and how far each is.
 * States are replaced, never changed, so that what was published stays as it was.
 */
import type { ArchiveKey, ArchiveState, IndexState, SegmentFile } from '../../core/archive/archive-state.ts';
import { archiveKey, segmentsOf } from '../../core/archive/archive-state.ts';
import { parseIndexName } from '../../core/archive/index-name.ts';
import type { ArchiveLayout, ReleaseName } from '../../core/archive/location.ts';
import { splitMirrorUrl, splits } from '../../core/archive/mirror-path.ts';
import type { Release } from '../../core/archive/release.ts';
import type { Segment } from '../../core/archive/segment.ts';
import { torrentId, torrentName } from '../../core/archive/torrent-id.ts';
import type { MirrorUrl, Sha256 } from '../../core/ids.ts';
import type { PersistedArchive } from './catalogue-store.ts';
import { contentOf, usedIndex } from './index-forms.ts';
import type { IndexUse } from './remembered-uses.ts';

export interface Known {
  readonly state: ArchiveState;
  readonly release: Segment;
  /** All that the state names, the release's among them. */
  readonly segments: ReadonlyMap<SegmentFile, Segment>;
  /** Stamp of the keyrings that it was verified with. */
  readonly trust: string;
}

export interface Adoption {
  readonly root: MirrorUrl;
  readonly releaseDir: MirrorUrl;
  readonly layout: ArchiveLayout;
  readonly releaseName: Exclude<ReleaseName, 'Release.gpg'>;
  readonly verified: Sha256;
  readonly public: boolean;
  readonly trust: string;
  readonly release: Release;
  readonly segment: Segment;
  readonly segmentFile: SegmentFile;
  /** Used before the archive was known. */
  readonly uses: readonly IndexUse[];
}

/** More archives or indexes than a network of machines uses; the least recently adopted archive goes first. */
export const MAX_ARCHIVES = 256;
export const MAX_INDEXES = 128;

export class ArchiveTable {
  readonly #swarmKey: Uint8Array | undefined;
  readonly #archives = new Map<ArchiveKey, Known>();

  constructor(swarmKey?: Uint8Array) {
    this.#swarmKey = swarmKey;
  }

  get(key: ArchiveKey): Known | undefined {
    return this.#archives.get(key);
  }

  all(): Known[] {
    return [...this.#archives.values()];
  }

  remove(key: ArchiveKey): void {
    this.#archives.delete(key);
  }

  /** Takes over what was saved; nothing when the Release's segment is not among those that are given. */
  restore({ state, trust }: PersistedArchive, saved: ReadonlyMap<SegmentFile, Segment>): void {
    const segments = this.#named(state, saved);
    const release = segments.get(state.segment);
    if (release) this.#archives.set(state.key, { state, trust, segments, release });
  }

  /** Whether clients were given another Release than the adopted one; false when that is known already. */
  setDiverged(key: ArchiveKey, diverged: boolean): boolean {
    const known = this.#archives.get(key);
    if (!known || (known.state.diverged ?? false) === diverged) return false;
    const { diverged: _, ...state } = known.state;
    this.#archives.set(key, { ...known, state: { ...state, ...(diverged && { diverged }) } });
    return true;
  }

  /** Indexes that the new Release lists with the content that is loaded stay as they are; others wait to be loaded. */
  adopt(adoption: Adoption): { readonly state: ArchiveState; readonly removed: ArchiveState | undefined } {
    const { release, segment } = adoption;
    const key = archiveKey(adoption.releaseDir);
    const known = this.#archives.get(key);
    const before = known?.state;
    let state: ArchiveState = {
      key,
      root: adoption.root,
      releaseDir: adoption.releaseDir,
      layout: adoption.layout,
      releaseName: adoption.releaseName,
      verified: adoption.verified,
      origin: release.origin,
      label: release.label,
      suite: release.suite,
      codename: release.codename,
      components: release.components,
      architectures: release.architectures,
      date: release.date,
      ...(release.validUntil !== undefined && { validUntil: release.validUntil }),
      acquireByHash: release.acquireByHash,
      noSupportForArchitectureAll: release.noSupportForArchitectureAll,
      public: adoption.public,
      segment: adoption.segmentFile,
      indexes: [],
    };
    const uses = [...(before?.indexes ?? []), ...adoption.uses];
    for (const use of uses) {
      const index = this.#newIndex(segment, state, use, before?.indexes);
      if (index) state = withIndex(state, index);
    }
    this.#archives.delete(key);
    const segments = this.#named(state, [...(known?.segments ?? []), [adoption.segmentFile, segment]]);
    this.#archives.set(key, { state, release: segment, segments, trust: adoption.trust });
    const [oldest] = this.#archives.values();
    const removed = this.#archives.size > MAX_ARCHIVES ? oldest?.state : undefined;
    if (removed) this.#archives.delete(removed.key);
    return { state, removed };
  }

  /** Whether an URL lies in an adopted archive's directory of metadata. */
  covers(url: MirrorUrl): boolean {
    const path = splitMirrorUrl(url);
    return path !== undefined && [...splits(path)].some(({ key }) => this.#archives.has(key as ArchiveKey));
  }

  /** The index that an URL is a form of, or tells of, in an adopted archive. */
  find(url: MirrorUrl): { readonly known: Known; readonly use: IndexUse } | undefined {
    const path = splitMirrorUrl(url);
    for (const { key, rest } of path ? splits(path) : []) {
      const known = this.#archives.get(key as ArchiveKey);
      const use = known && usedIndex(known.release, rest);
      if (use) return { known, use };
    }
    return undefined;
  }

  /** The index is in use from now on; undefined when it is not listed or one too many. */
  use(key: ArchiveKey, use: IndexUse): IndexState | undefined {
    const known = this.#archives.get(key);
    if (!known) return undefined;
    const present = known.state.indexes.find((i) => i.name === use.name);
    if (!present && known.state.indexes.length >= MAX_INDEXES) return undefined;
    if (present && (use.form === undefined || use.form === present.form)) return present;
    const index = present ? { ...present, ...use } : this.#newIndex(known.release, known.state, use, undefined);
    if (index) this.#put(known, index);
    return index;
  }

  /**
   * Changes what is known of an index, with the segment that the change names if it is a new one; nothing when the
   * archive or index is no more.
   */
  update(key: ArchiveKey, name: string, change: (index: IndexState) => IndexState, made?: Segment): void {
    const known = this.#archives.get(key);
    const index = known?.state.indexes.find((i) => i.name === name);
    if (known && index) this.#put(known, change(index), made);
  }

  #put(known: Known, index: IndexState, made?: Segment): void {
    const state = withIndex(known.state, index);
    const all = [...known.segments];
    if (made && index.segment) all.push([index.segment.file, made]);
    this.#archives.set(state.key, { ...known, state, segments: this.#named(state, all) });
  }

  /** What the state does not name is not kept in memory, and what several archives (mirrors of one) name is there once. */
  #named(state: ArchiveState, all: Iterable<readonly [SegmentFile, Segment]>): Map<SegmentFile, Segment> {
    const names = new Set(segmentsOf(state));
    const present = new Map([...this.#archives.values()].flatMap(({ segments }) => [...segments]));
    return new Map([...all].flatMap(([file, made]) => (names.has(file) ? [[file, present.get(file) ?? made]] : [])));
  }

  #newIndex(
    release: Segment,
    state: ArchiveState,
    use: IndexUse,
    before: readonly IndexState[] | undefined,
  ): IndexState | undefined {
    const content = contentOf(release, use.name);
    const name = parseIndexName(use.name);
    if (!content || !name || state.indexes.length >= MAX_INDEXES) return undefined;
    const { origin, codename, suite, date } = state;
    const { kind, component, architecture } = name;
    const subject = { origin, codename, suite, component, architecture };
    const old = before?.find((i) => i.name === use.name)?.segment;
    const isLoaded = old?.content === content.id;
    return {
      name: use.name,
      kind,
      component,
      architecture,
      torrent: torrentId(subject, this.#swarmKey),
      torrentName: torrentName(subject),
      status: isLoaded ? 'loaded' : 'loading',
      ...(use.form !== undefined && { form: use.form }),
      ...(old && { segment: isLoaded ? { ...old, date } : old }),
    };
  }
}

function withIndex(state: ArchiveState, index: IndexState): ArchiveState {
  const at = state.indexes.findIndex((i) => i.name === index.name);
  return { ...state, indexes: at < 0 ? [...state.indexes, index] : state.indexes.with(at, index) };
}

/**
 * Indexes in use of archives that are not adopted (any more, or yet): when the Release comes, they are loaded without
 * a client having to ask again, which one that uses pdiffs or gets a 304 would not.
 */
import type { ArchiveKey, ArchiveState } from '../../core/archive/archive-state.ts';
import type { Compression } from '../../core/archive/index-name.ts';
import type { MirrorUrl } from '../../core/ids.ts';

export interface IndexUse {
  /** Uncompressed name relative to the Release's directory. */
  readonly name: string;
  readonly form?: Compression;
}

export interface RememberedUse {
  readonly key: ArchiveKey;
  readonly uses: readonly IndexUse[];
}

const MAX_ARCHIVES = 256;
const MAX_URLS = 1024;

export class RememberedUses {
  readonly #archives = new Map<ArchiveKey, readonly IndexUse[]>();
  readonly #urls = new Set<MirrorUrl>();

  constructor(uses: readonly RememberedUse[] = []) {
    for (const { key, uses: of } of uses) this.#archives.set(key, of);
  }

  /** The archive is given up; what was used of it is not forgotten. */
  remember({ key, indexes }: ArchiveState): void {
    const uses = indexes.map(({ name, form }): IndexUse => ({ name, ...(form !== undefined && { form }) }));
    if (uses.length === 0) return;
    this.#archives.delete(key);
    this.#archives.set(key, uses);
    const [oldest] = this.#archives.keys();
    if (this.#archives.size > MAX_ARCHIVES && oldest !== undefined) this.#archives.delete(oldest);
  }

  /** An URL that belongs to no archive known so far. */
  rememberUrl(url: MirrorUrl): void {
    this.#urls.delete(url);
    this.#urls.add(url);
    const [oldest] = this.#urls;
    if (this.#urls.size > MAX_URLS && oldest !== undefined) this.#urls.delete(oldest);
  }

  /** What is known of an archive that is now adopted; asked once. */
  take(key: ArchiveKey): readonly IndexUse[] {
    const uses = this.#archives.get(key) ?? [];
    this.#archives.delete(key);
    return uses;
  }

  /** URLs to be looked at again; those that still belong nowhere are to be remembered again. */
  takeUrls(): MirrorUrl[] {
    const urls = [...this.#urls];
    this.#urls.clear();
    return urls;
  }

  toJSON(): RememberedUse[] {
    return [...this.#archives].map(([key, uses]) => ({ key, uses }));
  }
}

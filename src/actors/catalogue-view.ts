/**
 * The gateway's catalogue, kept up to date from the packages parser's messages. They name segment files; reading
 * them is what is done here, once for each file, and look-ups then need no message at all.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { CatalogueUpdate, SegmentFile } from '../core/archive/archive-state.ts';
import { Catalogue } from '../core/archive/catalogue.ts';
import { Segment } from '../core/archive/segment.ts';
import type { Logger } from '../core/logging.ts';

export class CatalogueView {
  readonly catalogue = new Catalogue();
  readonly #log: Logger;
  #segments = new Map<SegmentFile, Segment>();
  #waiting = new Set<() => void>();
  /** Updates are whole states: only the newest that waits is worth applying. */
  #next: CatalogueUpdate | undefined;
  #applying = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Resolves when the update, or a newer one, is in force. */
  async update(update: CatalogueUpdate): Promise<void> {
    this.#next = update;
    if (this.#applying) {
      await this.changed(60_000);
      return;
    }
    this.#applying = true;
    try {
      while (this.#next !== undefined) {
        const current = this.#next;
        this.#next = undefined;
        await this.#apply(current);
      }
    } finally {
      this.#applying = false;
    }
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when the catalogue has changed, or after `ms` milliseconds. */
  changed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }

  async #apply({ segmentDir, archives }: CatalogueUpdate): Promise<void> {
    const segments = new Map<SegmentFile, Segment>();
    for (const archive of archives) {
      const files = [archive.segment, ...archive.indexes.map(({ segment }) => segment?.file)];
      for (const file of files) {
        if (file === undefined || segments.has(file)) continue;
        const segment = this.#segments.get(file) ?? (await this.#read(segmentDir, file));
        if (segment !== undefined) segments.set(file, segment);
      }
    }
    this.#segments = segments;
    const kept = new Set(archives.map(({ key }) => key));
    for (const { key } of this.catalogue.archives()) if (!kept.has(key)) this.catalogue.remove(key);
    for (const archive of archives) this.catalogue.adopt(archive, segments);
  }

  async #read(segmentDir: string, file: SegmentFile): Promise<Segment | undefined> {
    try {
      return Segment.open(await readFile(join(segmentDir, file)));
    } catch (error) {
      this.#log.warn({ file, err: error }, 'a segment of the catalogue cannot be read');
      return undefined;
    }
  }
}

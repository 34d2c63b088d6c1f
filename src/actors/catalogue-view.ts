/**
 * A thread's catalogue, kept up to date from the packages parser's messages. They bring the segments in memory that
 * threads share, checked by the parser, so an update reads and copies nothing, and look-ups then need no message.
 */
import type { CatalogueUpdate, SegmentFile } from '../core/archive/archive-state.ts';
import { Catalogue } from '../core/archive/catalogue.ts';
import { Segment } from '../core/archive/segment.ts';

export class CatalogueView {
  readonly catalogue = new Catalogue();
  #segments = new Map<SegmentFile, Segment>();
  #waiting = new Set<() => void>();

  update({ archives, segments: memories }: CatalogueUpdate): void {
    const segments = new Map<SegmentFile, Segment>();
    for (const [file, memory] of memories) {
      const segment = this.#segments.get(file) ?? Segment.opened(memory);
      if (segment !== undefined) segments.set(file, segment);
    }
    this.#segments = segments;
    const kept = new Set(archives.map(({ key }) => key));
    for (const { key } of this.catalogue.archives()) if (!kept.has(key)) this.catalogue.remove(key);
    for (const archive of archives) this.catalogue.adopt(archive, segments);
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
}

/**
 * Files that were fetched before a client asked for them, as for the APT method. The first answer with such a file is
 * from where the file came: from the cache it would count as saved what a mirror had to send.
 */
import type { Sha256 } from '../core/ids.ts';
import type { SourceLabel } from '../core/fetch-plan.ts';
import { LruMap } from '../core/swarm/lru-map.ts';
import type { WholeFile } from '../actors/transfers/protocol.ts';

/** As many as a transaction may have; older ones count as cached. */
const MAX_FILES = 20_000;

export class FetchedAhead {
  readonly #sources = new LruMap<Sha256, SourceLabel>({ entries: MAX_FILES });

  fetched({ sha256, source }: WholeFile): void {
    if (source !== 'cache') this.#sources.set(sha256, source);
  }

  /** Nobody has been given it yet. */
  has(sha256: Sha256): boolean {
    return this.#sources.get(sha256) !== undefined;
  }

  /** The file, as an answer with its bytes is to describe it: the next one is from the cache. */
  given(file: WholeFile): WholeFile {
    const source = this.#sources.get(file.sha256);
    if (source === undefined) return file;
    this.#sources.delete(file.sha256);
    return { ...file, source };
  }
}

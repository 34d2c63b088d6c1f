/**
 * Which indexes clients use: the packages parser is told, once for each state of the catalogue. Until it has taken note
 * and the catalogue says that the index is being loaded, files that it may list are waited for here.
 */
import type { ArchiveKey } from '../core/archive/archive-state.ts';
import type { Catalogue, CatalogueHit } from '../core/archive/catalogue.ts';
import { isMaybeIndex } from '../core/archive/location.ts';
import type { MirrorUrl } from '../core/ids.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import type { PackagesParserProtocol } from '../actors/packages-parser/packages-parser.ts';

const MAX_USED = 4096;
/** The parser takes note within this time, in milliseconds, unless it is very busy. */
const NOTE_MS = 5_000;

export class IndexUses {
  readonly #parser: ActorRef<PackagesParserProtocol>;
  readonly #catalogue: Catalogue;
  /** Metadata that the parser has been told of since the catalogue changed. */
  #used = new Set<MirrorUrl>();
  #generation = -1;
  /** Uses that it has not taken note of, with the archives that they are of. */
  readonly #open = new Map<Promise<void>, readonly ArchiveKey[]>();

  constructor(parser: ActorRef<PackagesParserProtocol>, catalogue: Catalogue) {
    this.#parser = parser;
    this.#catalogue = catalogue;
  }

  /** Somebody was told what this URL is, or asks for what may be an index of an archive that is not known yet. */
  note(hit: CatalogueHit | undefined, url: MirrorUrl): void {
    if (hit === undefined ? !this.#isOfUnknown(url) : hit.kind !== 'index' && hit.kind !== 'metadata') return;
    if (this.#generation !== this.#catalogue.generation || this.#used.size > MAX_USED) {
      this.#used = new Set();
      this.#generation = this.#catalogue.generation;
    }
    if (this.#used.has(url)) return;
    this.#used.add(url);
    const noted = this.#parser
      .within(NOTE_MS)
      .ask('indexUsed', url)
      .catch(() => undefined)
      .then(() => void this.#open.delete(noted));
    // nothing will be loaded before its Release is known
    if (hit !== undefined) this.#open.set(noted, this.#archivesOf(url));
  }

  /** Resolves when the catalogue says what is to be waited for; undefined when it does so now. Never rejects. */
  pendingFor(url: MirrorUrl): Promise<unknown> | undefined {
    if (this.#open.size === 0) return undefined;
    const archives = new Set(this.#archivesOf(url));
    const concerned = [...this.#open].filter(([, keys]) => keys.some((key) => archives.has(key)));
    return concerned.length === 0 ? undefined : Promise.all(concerned.map(([noted]) => noted));
  }

  /** Its Release may be known later: one that came slowly, or was not verified in time. */
  #isOfUnknown(url: MirrorUrl): boolean {
    return isMaybeIndex(url) && !this.#catalogue.covers(url);
  }

  #archivesOf(url: MirrorUrl): ArchiveKey[] {
    return this.#catalogue.archivesFor(url).map(({ key }) => key);
  }
}

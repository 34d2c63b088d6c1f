/** Whom the packages parser works with, as far as it needs to know them. */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { CatalogueUpdate } from '../../core/archive/archive-state.ts';

export interface FetchedFile {
  /** Where it is now, or, when it has moved meanwhile, at finalPath. */
  readonly path: string;
  readonly finalPath?: string;
  readonly size: number;
  readonly sha256: Sha256;
}

/** Who fetches files into the store; what clients fetch at the same time is fetched once. */
export interface FetcherProtocol {
  fetch(plan: FetchPlan): FetchedFile;
  /** What was fetched turned out not to be what its hash says. */
  suspect(sha256: Sha256): void;
}

/** Who keeps room on the disk: what the catalogue needs goes before files that were not used for long. */
export interface RoomProtocol {
  makeRoom(size: number): true;
}

/** Who holds the read model. Replies when look-ups go by the update. */
export interface CatalogueReaderProtocol {
  catalogueChanged(update: CatalogueUpdate): boolean;
}

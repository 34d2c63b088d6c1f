/**
 * Makes a fetch plan of an URL: what the catalogue knows about it, or what its shape tells. When an index that could
 * know it is being loaded at this moment, it waits for that: the moment after `apt-get update` is when packages are
 * asked for.
 */
import { isMetadata, isReplaced, locate } from '../core/archive/location.ts';
import type { Catalogue, CatalogueHit } from '../core/archive/catalogue.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import { alternatesOf, type AlternateMirror } from '../core/http/alternates.ts';
import { parseSha256, type MirrorUrl, type Sha256 } from '../core/ids.ts';
import type { IndexUses } from './index-uses.ts';

export interface Planned {
  readonly plan: FetchPlan;
  readonly hit: CatalogueHit | undefined;
  readonly location: ReturnType<typeof locate>;
  /** Of the catalogue, when it was asked. */
  readonly generation: number;
  /** The hash is what the client says that it expects; nothing that anybody else relies on may come of it. */
  readonly hinted: boolean;
  /** Other caches are to ask here each time: the name may stand for another file by then. */
  readonly askAgain: boolean;
}

export interface PlannerDeps {
  readonly catalogue: Catalogue;
  readonly alternates: readonly AlternateMirror[];
  readonly uses: Pick<IndexUses, 'pendingFor'>;
  /** Resolves when the catalogue has changed or after `ms` milliseconds. */
  catalogueChanged(ms: number): Promise<void>;
  now(): number;
}

/** Longest wait for an index, in milliseconds; then the file is passed on unverified, which APT checks itself. */
const INDEX_WAIT_MS = 12_000;
/** Packages are built anew under the same name now and then, and nothing but their index says so. */
const PACKAGE_NAME = /\.(?:[ud]?deb|dsc|diff\.gz|tar\.[a-z0-9]+)(?:\.asc)?$/;

/**
 * @param expected SHA-256 that the client expects. It says nothing about what is signed, but the content can be looked
 *   up by it, and nothing else would do for this client.
 * @param reload the client wants what the mirror has now; what has a hash is that anyway.
 */
export async function planFor(deps: PlannerDeps, url: MirrorUrl, expected?: Sha256, reload = false): Promise<Planned> {
  const { catalogue } = deps;
  const location = locate(url);
  const replaced = isReplaced(url, location);
  // also by-hash: it may have to be asked for by its name
  const anew = isMetadata(url, location) && { reload: true };
  const deadline = deps.now() + INDEX_WAIT_MS;
  // a Release is what the mirror has now, though apt-ftparchive lists the one that it is about to replace in the new one
  const isListed = location.kind !== 'release';
  let hit = isListed ? catalogue.lookup(url) : undefined;
  while (isListed && (hit === undefined || hit.stale) && deps.now() < deadline) {
    // An index that somebody has been told of a moment ago may not even be known to be in use.
    const used = location.kind === 'other' ? deps.uses.pendingFor(url) : undefined;
    if (used !== undefined) await used;
    else if (catalogue.pendingFor(url)) await deps.catalogueChanged(deadline - deps.now());
    else break;
    hit = catalogue.lookup(url);
  }
  const { generation } = catalogue;
  const configured = alternatesOf(url, deps.alternates);
  if (hit !== undefined && !hit.stale && (expected === undefined || hit.sha256 === expected)) {
    const { sha256, size, torrents, alternates } = hit;
    const plan: FetchPlan = {
      url,
      alternates: [...configured, ...alternates],
      trust: 'signed',
      sha256,
      size,
      torrents,
      revalidate: 'immutable',
      ...anew,
    };
    return { plan, hit, location, generation, hinted: false, askAgain: replaced };
  }
  const common = { url, alternates: configured, torrents: [] };
  const named = location.kind === 'by-hash' && location.algorithm === 'SHA256' ? parseSha256(location.hash) : undefined;
  // nor does it matter what a client remembers of a Release
  const sha256 = isListed ? (expected ?? named) : undefined;
  if (sha256 !== undefined) {
    const plan: FetchPlan = { ...common, trust: 'hash', sha256, revalidate: 'immutable', ...anew };
    return { plan, hit: undefined, location, generation, hinted: sha256 !== named, askAgain: replaced };
  }
  const mayChange = replaced || location.kind === 'by-hash' || PACKAGE_NAME.test(url);
  return {
    plan: {
      ...common,
      trust: 'none',
      revalidate: mayChange || reload ? 'always' : 'heuristic',
      ...(reload ? { reload } : anew),
    },
    hit: undefined,
    location,
    generation,
    hinted: false,
    askAgain: true,
  };
}

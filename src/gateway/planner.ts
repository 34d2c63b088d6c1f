/**
 * Makes a fetch plan of an URL: what the catalogue knows about it, or what its shape tells. When an index that could
 * know it is being loaded at this moment, it waits for that: the moment after `apt-get update` is when packages are
 * asked for.
 */
import { locate } from '../core/archive/location.ts';
import type { Catalogue, CatalogueHit } from '../core/archive/catalogue.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import { alternatesOf, type AlternateMirror } from '../core/http/alternates.ts';
import { parseSha256, type MirrorUrl } from '../core/ids.ts';

export interface Planned {
  readonly plan: FetchPlan;
  readonly hit: CatalogueHit | undefined;
  readonly location: ReturnType<typeof locate>;
}

export interface PlannerDeps {
  readonly catalogue: Catalogue;
  readonly alternates: readonly AlternateMirror[];
  /** Resolves when the catalogue has changed or after `ms` milliseconds. */
  catalogueChanged(ms: number): Promise<void>;
  now(): number;
}

/** Longest wait for an index, in milliseconds; then the file is passed on unverified, which APT checks itself. */
const INDEX_WAIT_MS = 12_000;
/** Metadata of flat repositories, which have no dists/ to be known by. */
const METADATA_NAME = /\/(?:Packages|Sources|Contents|Translation|Index|InRelease|Release)[^/]*$/;

export async function planFor(deps: PlannerDeps, url: MirrorUrl): Promise<Planned> {
  const { catalogue } = deps;
  const location = locate(url);
  const deadline = deps.now() + INDEX_WAIT_MS;
  let hit = catalogue.lookup(url);
  while ((hit === undefined || hit.stale) && catalogue.pendingFor(url) && deps.now() < deadline) {
    await deps.catalogueChanged(deadline - deps.now());
    hit = catalogue.lookup(url);
  }
  const configured = alternatesOf(url, deps.alternates);
  if (hit !== undefined && !hit.stale) {
    const { sha256, size, torrents, alternates } = hit;
    const plan: FetchPlan = {
      url,
      alternates: [...configured, ...alternates],
      trust: 'signed',
      sha256,
      size,
      torrents,
      revalidate: 'immutable',
    };
    return { plan, hit, location };
  }
  const common = { url, alternates: configured, torrents: [] };
  const named = location.kind === 'by-hash' && location.algorithm === 'SHA256' ? parseSha256(location.hash) : undefined;
  if (named !== undefined) {
    return { plan: { ...common, trust: 'hash', sha256: named, revalidate: 'immutable' }, hit: undefined, location };
  }
  const metadata = location.kind !== 'other' || METADATA_NAME.test(url);
  return {
    plan: { ...common, trust: 'none', revalidate: metadata ? 'always' : 'heuristic' },
    hit: undefined,
    location,
  };
}

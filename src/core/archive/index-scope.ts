/** Which files an index could name, told from a path in the archive alone. */
import type { IndexState } from './archive-state.ts';

const BINARY = /_([^_/]+)\.(?:u|d)?deb$/;
const POOL = /^pool\/([^/]+)\//;

/**
 * False only when the index cannot name the file: one of another component (pool/COMPONENT/…) or another
 * architecture (…_ARCH.deb; `all` is in the indexes of every architecture), a package in Sources, metadata.
 */
export function mayContain(index: IndexState, components: readonly string[], path: string): boolean {
  if (path.startsWith('dists/') || path.includes('/by-hash/')) return false;
  const architecture = BINARY.exec(path)?.[1];
  if (index.kind === 'sources' ? architecture !== undefined : architecture === undefined) return false;
  const isOther = architecture !== undefined && architecture !== 'all' && architecture !== index.architecture;
  if (index.kind === 'packages' && index.architecture !== '' && isOther) return false;
  const component = POOL.exec(path)?.[1];
  if (component === undefined || index.component === '' || !components.includes(component)) return true;
  return index.component === component || index.component.startsWith(`${component}/`);
}

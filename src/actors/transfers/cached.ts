/** Files that the cache has already, and what has to be checked before they are given out. */
import type { Logger } from '../../core/logging.ts';
import { checkStored } from '../store/check-stored.ts';
import type { NameRecord, StoredFile } from '../store/protocol.ts';
import type { ContentDeps } from './content.ts';

/** What is in the cache already and needs only a check. */
export type Cached =
  /** It may have changed on disk. */
  | { readonly check: 'hash'; readonly file: StoredFile }
  /** The name may stand for another file by now. */
  | { readonly check: 'mirror'; readonly file: StoredFile; readonly record: NameRecord };

export interface CacheCheckDeps extends ContentDeps {
  readonly log: Logger;
  hashFailed(): void;
}

/**
 * True when the file still has the bytes that its name says; when it has others the store removes it. One that cannot
 * be hashed now is what it was before; with what comes in place of one that cannot be read it is replaced.
 */
export async function checkCached(deps: CacheCheckDeps, file: StoredFile): Promise<boolean> {
  const right = await checkStored(deps, file);
  if (right === undefined && !file.verified) {
    deps.log.warn({ sha256: file.sha256 }, 'a cached file cannot be checked now and is fetched again');
  }
  if (right !== false) return right ?? file.verified;
  deps.log.warn({ sha256: file.sha256 }, 'a cached file has changed on disk and is fetched again');
  deps.hashFailed();
  return false;
}

/** What a conditional request can be made of; undefined when the mirror gave nothing for that. */
export function validatorsOf({ etag, lastModified }: NameRecord): { etag?: string; lastModified?: string } | undefined {
  if (etag === undefined && lastModified === undefined) return undefined;
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}

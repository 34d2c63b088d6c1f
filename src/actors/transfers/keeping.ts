/** What becomes of a file that has arrived and is right. */
import type { FetchPlan } from '../../core/fetch-plan.ts';
import type { Logger } from '../../core/logging.ts';
import type { Content, ContentDeps } from './content.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { WholeFile } from './protocol.ts';
import { nameRecord } from './whole-file.ts';

export interface KeepingDeps extends ContentDeps {
  readonly log: Logger;
  readonly directory?: PeerDirectory | undefined;
}

/** Clients have the file already; keeping it is for the next ones, so a failure here is only logged. */
export async function keep(
  { store, log }: KeepingDeps,
  content: Content,
  { url, sha256 }: FetchPlan,
  file: WholeFile,
  storable: boolean,
): Promise<boolean> {
  try {
    await content.commit(file.sha256, file.size, file.lastModified);
  } catch (error) {
    log.warn({ url, err: error }, 'a file could not be kept');
    // What a disk failed to take is right in the page cache only: a second flush says nothing of it.
    content.discard();
    return false;
  }
  if (sha256 === undefined && storable) store.tell('putName', nameRecord(url, file));
  return true;
}

/** A file that no peer was asked for can be asked of this machine from now on. */
export function tellPeers({ directory }: KeepingDeps, { torrents }: FetchPlan, file: WholeFile): void {
  if (file.size === 0 || directory?.near(torrents) !== true) return;
  directory.ref.tell('verified', file.sha256, file.size, file.path, file.finalPath);
}

/** What uploads need, and tell. */
import type { Clock } from '../../../core/clock.ts';
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import type { DoesInPlace } from '../../../core/in-place.ts';
import type { Logger } from '../../../core/logging.ts';
import type { TokenBucket } from '../../../core/swarm/token-bucket.ts';
import type { StoredFile } from '../../store/protocol.ts';
import type { BlockPool } from '../block-pool.ts';
import type { Link, LinkFault } from '../link/link.ts';

export interface UploadsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly blocks: BlockPool;
  /** Of reads of 512 KiB at most. */
  readonly inPlace: DoesInPlace;
  /** In [0, 1). */
  random(): number;
  /**
   * Asks the store. Within 4 s (peers are told within 5); a rejection counts as nothing found, and is not remembered.
   * Never asked for anything that the catalogue does not say may be shared.
   */
  find(sha256: Sha256): Promise<StoredFile | undefined>;
  /**
   * Hashes a file that was found but is not `verified`, and tells the store: whether it is right. Asked for one file
   * at a time. Peers wait meanwhile, as for any file that is not there yet.
   */
  check(file: StoredFile): Promise<boolean>;
  /** What the catalogue knows of some content; no torrents unless it may be shared. */
  content(sha256: Sha256): { readonly size: number; readonly torrents: readonly InfoHash[] } | undefined;
  /** Roots of all pieces of a file of that size, 32 bytes each. */
  pieceRoots(path: string, size: number): Promise<Uint8Array>;
  /** Of uploads. */
  readonly limit: TokenBucket;
  /** The peer of this link wants the file, which is in a torrent in common, or no longer does. */
  wantChanged(link: Link, sha256: Sha256, wanting: boolean): void;
  /** The peer has broken the protocol: ends the link, which calls `linkClosed` now or later. */
  ban(link: Link, fault: LinkFault): void;
}

/** What downloads need of the rest of the daemon. */
import type { Clock } from '../../../core/clock.ts';
import type { DoesInPlace } from '../../../core/in-place.ts';
import type { Sha256 } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logging.ts';
import type { JobId } from '../../source.ts';
import type { Link, LinkFault } from '../link/link.ts';
import type { BlockPool } from '../block-pool.ts';
import type { PeerKey, PeerView, WantId } from '../protocol.ts';

export interface DownloadsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** 40 hexadecimal digits. */
  readonly ownPeerId: string;
  /** The same as the links'. */
  readonly blocks: BlockPool;
  /** Of writes of 1 MiB at most. */
  readonly inPlace: DoesInPlace;
  links(): Iterable<Link>;
  /** The peer broke the rules or lied; its link, if it is still there, is closed by this. */
  ban(peer: PeerKey, fault: LinkFault): void;
  offered(id: WantId, view: PeerView): void;
  wrote(job: JobId, start: number, end: number): void;
  /** Root of the piece in bytes [start, start + length) of a file, hashed in another thread. */
  pieceRoot(path: string, start: number, length: number): Promise<Uint8Array>;
  /** Where a file is once it is verified and kept. */
  finalPath(sha256: Sha256): string;
  /** Milliseconds to wait before so many bytes may be asked for; 0 when they may be now, and count. */
  takeTokens(bytes: number): number;
  /** Links whose peers want the file themselves at this moment. */
  wanters(sha256: Sha256): Iterable<Link>;
  /** Links whose peers came to the file earlier: they are getting it, or have got it just now. */
  earlier(sha256: Sha256): ReadonlySet<Link>;
  /** A piece is written whose root is the agreed tree's: it may be offered to others. */
  pieceAgreed(sha256: Sha256, piece: number): void;
}

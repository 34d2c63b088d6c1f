/**
 * Pieces under an agreed tree: they are told as written only when their root is right. One that is not is dropped and
 * asked for again, and who sent it and who told the tree are suspects until the file's own hash has spoken.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import type { Logger } from '../../../core/logging.ts';
import { RangeSet } from '../../../core/range-set.ts';
import type { Share } from '../../../core/swarm/contribution-log.ts';
import type { LinkFault } from '../link/link.ts';
import type { PeerKey } from '../protocol.ts';
import type { Job } from './job.ts';
import type { Want } from './want.ts';

export interface PieceChecksDeps {
  readonly log: Logger;
  pieceRoot(path: string, start: number, length: number): Promise<Uint8Array>;
  ban(peer: PeerKey, fault: LinkFault): void;
  /** Bytes are there, and as right as can be known. */
  tell(want: Want, start: number, end: number): void;
  /** A piece was wrong: its bytes are to be asked for again. */
  dropped(want: Want, piece: number): void;
  agreed(want: Want, piece: number): void;
  /** A check has ended. */
  checked(): void;
}

/** Pieces that are written and not checked, all files together; beyond it nothing is asked for. */
const MAX_CHECKS = 64;
/** Wrong pieces of one file that are remembered for blame. */
const MAX_SUSPECTS = 64;

export class PieceChecks {
  readonly #deps: PieceChecksDeps;
  #running = 0;

  constructor(deps: PieceChecksDeps) {
    this.#deps = deps;
  }

  get behind(): boolean {
    return this.#running >= MAX_CHECKS;
  }

  /** Bytes of a piece are about to be taken for a job: decides whether the piece will be checked as a whole. */
  begin(want: Want, piece: number, job: Job): void {
    if (want.small || !want.trust.agreed || want.guards.has(piece)) return;
    const { start, end } = want.range(piece);
    if (!job.covers(start, end) || !job.left.covers(start, end)) return;
    want.guards.set(piece, { job, written: new RangeSet(), check: undefined });
  }

  /** Bytes within one piece are written. */
  written(want: Want, piece: number, start: number, end: number): void {
    const guard = want.guards.get(piece);
    if (guard === undefined) {
      this.#deps.tell(want, start, end);
      return;
    }
    guard.written.add(start, end);
    const range = want.range(piece);
    if (guard.written.covers(range.start, range.end)) guard.check ??= this.#check(want, piece);
  }

  /** The tree is not followed any more: what was kept back for its sake is told. */
  release(want: Want): void {
    for (const [piece, { written, check }] of want.guards) {
      if (check !== undefined) continue;
      want.guards.delete(piece);
      for (const { start, end } of written.ranges) this.#deps.tell(want, start, end);
    }
  }

  /** A job ends: pieces that it has only in part are not waited for, the others are. */
  async settle(want: Want, job: Job): Promise<void> {
    const checks: Promise<void>[] = [];
    for (const [piece, guard] of want.guards) {
      if (guard.job !== job) continue;
      if (guard.check === undefined) want.guards.delete(piece);
      else checks.push(guard.check);
    }
    await Promise.all(checks);
  }

  async #check(want: Want, piece: number): Promise<void> {
    const { start, end } = want.range(piece);
    this.#running += 1;
    let root: Uint8Array | undefined;
    try {
      root = await this.#deps.pieceRoot(want.file.path, start, end - start);
    } catch (error) {
      this.#deps.log.debug({ path: want.file.path, piece, reason: String(error) }, 'a piece could not be hashed');
    }
    const expected = want.trust.expected(piece);
    const parts = want.log.within(start, end);
    const wrong = root !== undefined && expected !== undefined && Buffer.compare(root, expected) !== 0;
    if (root !== undefined && wrong) await this.#suspect(want, piece, root, parts);
    this.#running -= 1;
    want.guards.delete(piece);
    if (!wrong) {
      this.#deps.tell(want, start, end);
      if (root !== undefined && expected !== undefined) this.#matched(want, piece, parts);
    } else {
      want.log.remove(start, end);
      this.#deps.dropped(want, piece);
    }
    this.#deps.checked();
  }

  #matched(want: Want, piece: number, parts: readonly Share<PeerKey>[]): void {
    want.trust.matched(piece);
    // Roots that nobody but the sender vouches for make its bytes no safer for others.
    const { tellers } = want.trust;
    const independent = parts.every(({ writer }) => tellers.some((teller) => teller !== writer));
    if (independent) this.#deps.agreed(want, piece);
  }

  async #suspect(want: Want, piece: number, root: Uint8Array, parts: readonly Share<PeerKey>[]): Promise<void> {
    const senders = new Set(parts.map(({ writer }) => writer));
    for (const [lane, seller] of want.sellers) if (senders.has(lane.peer)) seller.have.clear(piece);
    const [sender] = senders;
    this.#deps.log.debug(
      { sha256: want.file.sha256, piece, peers: [...senders].map(({ address }) => address) },
      'a piece from peers has not the root that its tree says',
    );
    if (senders.size === 1 && sender !== undefined) {
      if (want.trust.toldBy(sender)) {
        const message = 'sent a piece that is not the one of its own tree';
        this.#deps.ban(sender, { kind: 'wrong-bytes', message });
      } else if (want.trust.strayed(piece, root, sender)) {
        this.release(want);
      }
    }
    if (want.suspects.length >= MAX_SUSPECTS) return;
    const known = senders.size > 1 ? await digests(want.file.path, parts) : parts;
    if (known !== undefined) want.suspects.push({ piece, root, parts: known });
  }
}

/** SHA-256 of each part of a file: what each sender sent, so that the right ones are not blamed with the wrong ones. */
export async function digests<T extends { start: number; end: number }>(
  path: string,
  parts: readonly T[],
): Promise<(T & { digest: string })[] | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const found: (T & { digest: string })[] = [];
      for (const part of parts) {
        const bytes = Buffer.alloc(part.end - part.start);
        await file.read(bytes, 0, bytes.length, part.start);
        found.push({ ...part, digest: createHash('sha256').update(bytes).digest('hex') });
      }
      return found;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

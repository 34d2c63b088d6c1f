/**
 * A file that peers had a share in is wrong: what they sent is fetched again from the mirror, and compared with what was
 * there, block by block. Of what was there only a hash of each block is kept.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { closeSync, openSync, readSync } from 'node:fs';

import type { ByteRange, RangeSet } from '../../core/range-set.ts';
import type { Logger } from '../../core/logging.ts';
import type { Contribution, PeerKey } from '../swarm/protocol.ts';
import { blocksOf, type Block } from './blame.ts';
import type { PeerDirectory } from './peer-directory.ts';

interface Suspect extends Block {
  /** SHA-256 of what was there. */
  readonly before: Buffer;
}

export class Arbitration {
  readonly #path: string;
  /** Blocks that have not come again. */
  #open: Suspect[];
  readonly #guilty = new Map<string, PeerKey>();

  private constructor(path: string, suspects: Suspect[]) {
    this.#path = path;
    this.#open = suspects;
  }

  /**
   * Notes what is there; nobody may write meanwhile.
   * @param contested what somebody else wrote to as well: nobody is blamed for it.
   */
  static async begin(
    path: string,
    contributions: readonly Contribution[],
    came: RangeSet,
    contested: readonly ByteRange[],
  ): Promise<Arbitration> {
    const suspects: Suspect[] = [];
    const handle = await open(path, constants.O_RDONLY);
    try {
      const buffer = Buffer.allocUnsafe(MAX_BLOCK_BYTES);
      for (const block of blocksOf(contributions, came, contested, MAX_BLOCK_BYTES)) {
        suspects.push({ ...block, before: await digestAt(handle, buffer, block) });
      }
    } finally {
      await handle.close();
    }
    return new Arbitration(path, suspects);
  }

  /** What has to come again from the mirror. */
  get ranges(): readonly ByteRange[] {
    return this.#open;
  }

  /** Has those banned that sent what differs from what has come so far. */
  ban({ log, directory }: { readonly log: Logger; readonly directory: Pick<PeerDirectory, 'ref'> }): void {
    const guilty = [...this.#guilty.values()];
    if (guilty.length === 0) return;
    const reason = 'sent bytes that are not those of the file';
    log.warn({ peers: guilty.map(({ address }) => address).join(', '), reason }, 'peers are banned');
    directory.ref.tell('ban', guilty, reason);
  }

  /** Compares the blocks that have come again by now; those that differ. */
  compare(have: RangeSet): readonly ByteRange[] {
    const ready = this.#open.filter(({ start, end }) => have.covers(start, end));
    if (ready.length === 0) return [];
    this.#open = this.#open.filter((block) => !ready.includes(block));
    const buffer = Buffer.allocUnsafe(MAX_BLOCK_BYTES);
    const fd = openSync(this.#path, 'r');
    try {
      const differing = ready.filter((block) => !digestNow(fd, buffer, block).equals(block.before));
      for (const { peer } of differing) {
        if (peer !== undefined) this.#guilty.set(`${peer.address} ${peer.peerId}`, peer);
      }
      return differing;
    } finally {
      closeSync(fd);
    }
  }
}

/** Bytes of the file that are in memory at once. */
const MAX_BLOCK_BYTES = 1024 * 1024;

async function digestAt(handle: FileHandle, buffer: Buffer, { start, end }: ByteRange): Promise<Buffer> {
  let filled = 0;
  while (filled < end - start) {
    const { bytesRead } = await handle.read(buffer, filled, end - start - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return createHash('sha256').update(buffer.subarray(0, filled)).digest();
}

function digestNow(fd: number, buffer: Buffer, { start, end }: ByteRange): Buffer {
  let filled = 0;
  while (filled < end - start) {
    const read = readSync(fd, buffer, filled, end - start - filled, start + filled);
    if (read === 0) break;
    filled += read;
  }
  return createHash('sha256').update(buffer.subarray(0, filled)).digest();
}

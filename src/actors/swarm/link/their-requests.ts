/** Requests of a peer that are not answered: bounded in number and in what they may ask for. */
import { MAX_OPEN_REQUESTS } from '../../../core/swarm/limits.ts';
import { MAX_REQUEST_BYTES, PIECE_BYTES } from '../../../core/swarm/pieces.ts';
import { keyOf } from './block-ref.ts';
import type { BlockRef, LinkFault } from './link.ts';

export type Respond = (error: null, data: Uint8Array) => void;

export class TheirRequests {
  readonly #open = new Map<string, { readonly block: BlockRef; readonly respond: Respond }>();

  /** Takes a request, or says what is wrong with it. */
  add(block: BlockRef, respond: Respond): LinkFault | undefined {
    const { offset, length } = block;
    const key = keyOf(block);
    if (length === 0 || length > MAX_REQUEST_BYTES || offset + length > PIECE_BYTES) {
      return { kind: 'protocol', message: `asks for ${length} bytes at ${offset} of a piece` };
    }
    if (this.#open.has(key)) return { kind: 'protocol', message: `asks twice for the same block: ${key}` };
    if (this.#open.size >= MAX_OPEN_REQUESTS) {
      return { kind: 'flood', message: `more than ${MAX_OPEN_REQUESTS} open requests` };
    }
    this.#open.set(key, { block, respond });
    return undefined;
  }

  has(block: BlockRef): boolean {
    return this.#open.has(keyOf(block));
  }

  /** The request is being answered; undefined when it is not open any more. */
  take(block: BlockRef): Respond | undefined {
    const key = keyOf(block);
    const respond = this.#open.get(key)?.respond;
    this.#open.delete(key);
    return respond;
  }

  /** Takes all but those of some indexes. */
  takeAll(except: (index: number) => boolean): BlockRef[] {
    const taken = [...this.#open.values()].map(({ block }) => block).filter(({ index }) => !except(index));
    for (const block of taken) this.#open.delete(keyOf(block));
    return taken;
  }

  clear(): void {
    this.#open.clear();
  }
}

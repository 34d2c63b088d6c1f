/** A Link in memory that keeps what it was told to send, and keeps to the rules of one: each request has one answer. */
import type { InfoHash } from '../../../../src/core/ids.ts';
import type { FilesMessage } from '../../../../src/core/swarm/messages.ts';
import type { BlockRef, Link, LinkFault } from '../../../../src/actors/swarm/link/link.ts';

export type Sent =
  | FilesMessage
  | { readonly type: 'have' | 'allow-fast' | 'disallow-fast'; readonly index: number }
  | { readonly type: 'choke'; readonly choking: boolean }
  | { readonly type: 'reject'; readonly block: BlockRef }
  | { readonly type: 'piece'; readonly block: BlockRef; readonly data: Buffer };

const keyOf = ({ index, offset, length }: BlockRef) => `${index}+${offset}+${length}`;

export class FakeLink implements Link {
  readonly peerId: string;
  readonly address: string;
  readonly name: string;
  readonly listenPort = undefined;
  readonly client = 'test';
  common: readonly InfoHash[];
  readonly openedAt = 0;
  readonly heardAt = 0;
  downBytes = 0;
  upBytes = 0;
  readonly peerChoking = true;
  amChoking = true;
  peerInterested = false;
  readonly outstanding = 0;
  readonly maxRequests = 512;
  /** Bytes of blocks that it takes before it is no longer writable. */
  room = Infinity;
  closed: LinkFault | undefined;
  readonly sent: Sent[] = [];
  /** Requests without an answer. */
  readonly open = new Map<string, BlockRef>();
  /** Told of each request that a choke ends. */
  cancelled: (block: BlockRef) => void = () => {};
  readonly #fast = new Set<number>();
  #changed: (() => void)[] = [];

  constructor(name: string, common: readonly InfoHash[], address = '192.0.2.1') {
    this.name = name;
    this.address = address;
    this.peerId = Buffer.from(name).toString('hex').padEnd(40, '0');
    this.common = common;
  }

  get writable(): boolean {
    return this.room > 0;
  }

  /** Messages of these types, in order. */
  of<T extends Sent['type']>(...types: T[]): Extract<Sent, { type: T }>[] {
    return this.sent.filter((s): s is Extract<Sent, { type: T }> => (types as string[]).includes(s.type));
  }

  /** Until something that was sent makes it so. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  send(message: FilesMessage): void {
    this.#note(message);
  }
  have(index: number): void {
    this.#note({ type: 'have', index });
  }
  allowFast(index: number): void {
    this.#fast.add(index);
    this.#note({ type: 'allow-fast', index });
  }
  disallowFast(index: number): void {
    this.#fast.delete(index);
    this.#note({ type: 'disallow-fast', index });
  }
  choke(choking: boolean): void {
    if (choking === this.amChoking) return;
    this.amChoking = choking;
    this.#note({ type: 'choke', choking });
    if (!choking) return;
    for (const block of [...this.open.values()].filter(({ index }) => !this.#fast.has(index))) {
      this.cancelled(block);
      if (this.open.has(keyOf(block))) this.reject(block);
    }
  }
  piece(block: BlockRef, data: Uint8Array, done?: () => void): void {
    this.#answer(block);
    this.upBytes += data.length;
    this.room -= data.length;
    const copy = Buffer.from(data);
    done?.();
    this.#note({ type: 'piece', block, data: copy });
  }
  reject(block: BlockRef): void {
    this.#answer(block);
    this.#note({ type: 'reject', block });
  }
  close(fault: LinkFault): void {
    this.closed ??= fault;
  }
  request(): boolean {
    throw new Error('uploads ask for nothing');
  }
  cancel(): void {}
  interest(): void {}
  sendPeers(_added: readonly { readonly host: string; readonly port: number }[]): void {}
  pause(): void {}
  resume(): void {}

  /** The peer has asked for this block; the caller tells whom it tests. */
  asked(block: BlockRef): BlockRef {
    this.open.set(keyOf(block), block);
    return block;
  }

  #answer(block: BlockRef): void {
    if (!this.open.delete(keyOf(block))) throw new Error(`an answer to what was not asked for: ${keyOf(block)}`);
  }

  #note(sent: Sent): void {
    if (this.closed !== undefined) throw new Error(`${sent.type} on a closed link`);
    this.sent.push(sent);
    for (const changed of this.#changed.splice(0)) changed();
  }
}

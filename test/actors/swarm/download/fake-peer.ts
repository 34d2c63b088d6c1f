/**
 * A peer and the link to it, in memory, on a clock that the test holds: it serves files, as fast and as honestly as the
 * test says.
 */
import type { InfoHash, Sha256 } from '../../../../src/core/ids.ts';
import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import type { FilesMessage, WantedEntry } from '../../../../src/core/swarm/messages.ts';
import { BLOCK_BYTES, MAX_REQUEST_BYTES, PIECE_BYTES, pieceCount } from '../../../../src/core/swarm/pieces.ts';
import { pieceRoot } from '../../../../src/core/swarm/tree.ts';
import type { Downloads } from '../../../../src/actors/swarm/download/downloads.ts';
import { LINK_LIMITS } from '../../../../src/actors/swarm/link/link-limits.ts';
import type { AnswerTime, BlockRef, Link, LinkFault } from '../../../../src/actors/swarm/link/link.ts';
import { OwnRequests } from '../../../../src/actors/swarm/link/own-requests.ts';
import type { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';

export interface FakeFile {
  readonly sha256: Sha256;
  readonly data: Buffer;
  /** All pieces when absent. */
  readonly have?: readonly number[];
}

interface Lease {
  readonly base: number;
  readonly file: FakeFile;
}

export interface FakePeerOptions {
  readonly clock: ManualClock;
  readonly downloads: () => Downloads;
  readonly name: string;
  readonly torrents: readonly InfoHash[];
  readonly files?: readonly FakeFile[];
}

export class FakePeer implements Link {
  readonly #options: FakePeerOptions;
  readonly peerId: string;
  readonly address: string;
  readonly name: string;
  readonly listenPort = undefined;
  readonly client = 'fake';
  readonly common: readonly InfoHash[];
  readonly openedAt = 0;
  downBytes = 0;
  readonly upBytes = 0;
  peerChoking = false;
  readonly amChoking = true;
  readonly peerInterested = false;
  readonly writable = true;
  maxRequests = 512;

  /** What it was told, in order. */
  readonly heard: FilesMessage[] = [];
  readonly asked: BlockRef[] = [];
  /** Times that a request was tried on it, those that it did not take among them. */
  tried = 0;
  interested = false;
  cancelled = 0;
  closed: LinkFault | undefined;

  /** Milliseconds for a message there and back. */
  latency = 1;
  /** Blocks that it sends in a millisecond. */
  rate = 8;
  /** Answers no request. */
  stalls = false;
  /** When the last that came from it came, since it fell silent; undefined: something comes all the time. */
  silentSince: number | undefined;
  /** Answers no want. */
  mute = false;
  rejects: (piece: number) => boolean = () => false;
  /** Changes what it sends. */
  corrupt: (piece: number, data: Buffer) => Buffer = (_, data) => data;
  /** Changes the roots that it tells. */
  lie: (roots: Buffer) => Buffer = (roots) => roots;

  readonly #files = new Map<string, FakeFile>();
  readonly #leases: Lease[] = [];
  readonly #numbers = new Map<number, WantedEntry>();
  readonly #open = new Map<string, { readonly block: BlockRef; clear(): void }>();
  readonly #requests: OwnRequests;
  #nextBase = 100;
  #free = 0;

  constructor(options: FakePeerOptions) {
    this.#options = options;
    this.name = options.name;
    this.peerId = Buffer.from(options.name.padEnd(20, '-')).toString('hex');
    this.address = `192.0.2.${(options.name.charCodeAt(0) % 250) + 1}`;
    this.common = options.torrents;
    for (const file of options.files ?? []) this.#files.set(file.sha256, file);
    this.#requests = new OwnRequests({
      clock: options.clock,
      limits: LINK_LIMITS,
      timedOut: (block) => {
        if (this.closed !== undefined) return;
        this.#forget(block);
        options.downloads().timedOut(this, block);
      },
    });
  }

  get heardAt(): number {
    return this.silentSince ?? this.#options.clock.now();
  }

  get outstanding(): number {
    return this.#open.size;
  }

  /** Requests that are neither answered nor cancelled. */
  get waiting(): number {
    return this.#open.size;
  }

  /** Rejects all of these. */
  rejectsAll(): void {
    this.#free = 0;
    for (const { block } of [...this.#open.values()]) {
      this.#forget(block);
      this.#options.downloads().rejected(this, block);
    }
  }

  numberOf(sha256: Sha256): number | undefined {
    return [...this.#numbers].find(([, entry]) => entry.sha256 === sha256)?.[0];
  }

  says(message: FilesMessage): void {
    const { type } = message;
    if (type === 'offer' || type === 'none' || type === 'retract' || type === 'tree') {
      this.#options.downloads().message(this, message);
    }
  }

  /** It gets a piece of a file that it has leased. */
  gets(file: FakeFile, piece: number): void {
    const lease = this.#leases.find((each) => each.file.sha256 === file.sha256);
    if (lease !== undefined) this.#options.downloads().have(this, lease.base + piece);
  }

  /** It has the file no longer; a new want of it is answered as the first one was. */
  takesBack(file: FakeFile): void {
    const at = this.#leases.findIndex((each) => each.file.sha256 === file.sha256);
    const [lease] = this.#leases.splice(at, 1);
    if (lease !== undefined) this.says({ type: 'retract', bases: [lease.base] });
  }

  /** The peer chokes this side, or no longer: all that was asked of large files is refused. */
  chokes(choking: boolean): void {
    this.peerChoking = choking;
    this.#options.downloads().choked(this, choking);
  }

  send(message: FilesMessage): void {
    this.heard.push(message);
    if (this.closed !== undefined) return;
    if (message.type === 'want' && !this.mute) {
      this.#later(this.latency, () => {
        for (const entry of message.files) this.#answer(entry);
      });
    }
    if (message.type === 'want') for (const entry of message.files) this.#numbers.set(entry.file, entry);
    if (message.type === 'unwant') for (const file of message.files) this.#numbers.delete(file);
    if (message.type === 'tree-request') {
      const entry = this.#numbers.get(message.file);
      const file = entry === undefined ? undefined : this.#files.get(entry.sha256);
      if (file === undefined) return;
      this.#later(this.latency, () =>
        this.says({ type: 'tree', file: message.file, roots: this.lie(rootsOf(file.data)) }),
      );
    }
  }

  request(block: BlockRef, time?: AnswerTime): boolean {
    const lease = this.#leases.find(({ base, file }) => block.index >= base && block.index < base + pieces(file));
    this.tried += 1;
    if (this.closed !== undefined || this.#open.has(key(block)) || this.waiting >= this.maxRequests) return false;
    if (lease === undefined) throw new Error(`index ${block.index} was never leased`);
    if (this.peerChoking && pieces(lease.file) > 1) return false;
    this.asked.push(block);
    const piece = block.index - lease.base;
    const start = piece * PIECE_BYTES + block.offset;
    if (block.length < 1 || block.length > MAX_REQUEST_BYTES || start + block.length > lease.file.data.length) {
      throw new Error(`no block: ${block.index} ${block.offset} ${block.length}`);
    }
    const now = this.#options.clock.now();
    this.#free = Math.max(this.#free, now + this.latency) + Math.ceil(block.length / BLOCK_BYTES) / this.rate;
    const answer = () => {
      this.#open.delete(key(block));
      if (this.rejects(piece)) {
        this.#requests.refused(block);
        this.#options.downloads().rejected(this, block);
        return;
      }
      this.#requests.came(block);
      const data = this.corrupt(piece, Buffer.from(lease.file.data.subarray(start, start + block.length)));
      this.downBytes += data.length;
      this.#options.downloads().block(this, block, data);
      // Whoever keeps it without a copy has nonsense.
      data.fill(0xee);
    };
    this.#requests.add(block, time);
    const timer = this.stalls ? { clear() {} } : this.#later(this.#free - now, answer);
    this.#open.set(key(block), { block, clear: () => timer.clear() });
    return true;
  }

  cancel(block: BlockRef): void {
    this.cancelled += 1;
    this.#requests.giveUp(block);
    this.#forget(block);
  }

  interest(interested: boolean): void {
    this.interested = interested;
  }

  close(fault: LinkFault): void {
    if (this.closed !== undefined) return;
    this.closed = fault;
    for (const timer of this.#open.values()) timer.clear();
    this.#open.clear();
    this.#requests.stop();
    this.#options.downloads().linkClosed(this);
  }

  choke(): void {}
  have(): void {}
  piece(): void {}
  reject(): void {}
  allowFast(): void {}
  disallowFast(): void {}
  sendPeers(): void {}
  pause(): void {}
  resume(): void {}

  #answer({ file: number, sha256 }: WantedEntry): void {
    const file = this.#files.get(sha256);
    if (!this.#numbers.has(number)) return;
    if (file === undefined) {
      this.says({ type: 'none', files: [number] });
      return;
    }
    const base = this.#nextBase;
    const count = pieces(file);
    this.#nextBase += count + 3;
    this.#leases.push({ base, file });
    const bitmap = new Bitmap(count);
    for (const piece of file.have ?? []) bitmap.set(piece);
    const have = file.have === undefined ? {} : { have: bitmap.toBytes() };
    this.says({ type: 'offer', file: number, base, pieces: count, ...have });
    if (count === 1) this.#options.downloads().allowedFast(this, base);
  }

  /** A request that was cancelled is refused at once. */
  #forget(block: BlockRef): void {
    this.#requests.refused(block);
    this.#open.get(key(block))?.clear();
    this.#open.delete(key(block));
  }

  #later(ms: number, callback: () => void): { clear(): void } {
    return this.#options.clock.setTimeout(() => {
      if (this.closed === undefined) callback();
    }, ms);
  }
}

export function rootsOf(data: Buffer): Buffer {
  const roots: Buffer[] = [];
  for (let at = 0; at < data.length; at += PIECE_BYTES) roots.push(pieceRoot(data.subarray(at, at + PIECE_BYTES)));
  return Buffer.concat(roots);
}

function pieces(file: FakeFile): number {
  return pieceCount(file.data.length);
}

function key({ index, offset }: BlockRef): string {
  return `${index} ${offset}`;
}

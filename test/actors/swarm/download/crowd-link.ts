/** Links in memory between the machines of a crowd, with the part of a daemon that serves what its machine has. */
import type { InfoHash } from '../../../../src/core/ids.ts';
import type { FilesMessage } from '../../../../src/core/swarm/messages.ts';
import { PIECE_BYTES, pieceCount } from '../../../../src/core/swarm/pieces.ts';
import { LINK_LIMITS } from '../../../../src/actors/swarm/link/link-limits.ts';
import type { AnswerTime, BlockRef, Link, LinkFault } from '../../../../src/actors/swarm/link/link.ts';
import { OwnRequests } from '../../../../src/actors/swarm/link/own-requests.ts';
import type { CrowdOptions, Machine } from './crowd.ts';

const LATENCY_MS = 1;
/** Blocks of 128 KiB that a machine sends in a millisecond: a gigabit a second. */
const UPLOAD_RATE = 1;

/** One machine's end of a link to another. */
export class End implements Link {
  readonly #options: CrowdOptions;
  readonly #self: Machine;
  readonly #there: Machine;
  far!: End;
  /** The number under which the machine at the other end wants the file. */
  wantedBy: number | undefined;
  /** When it said so last. */
  wantedAt = Infinity;
  #open = true;
  #leased = false;
  readonly #waiting = new Map<string, { clear(): void }>();
  readonly #requests: OwnRequests;
  readonly listenPort = undefined;
  readonly client = 'crowd';
  readonly openedAt = 0;
  readonly downBytes = 0;
  readonly upBytes = 0;
  readonly peerChoking = false;
  readonly amChoking = false;
  readonly peerInterested = true;
  readonly writable = true;
  readonly maxRequests = 512;

  constructor(self: Machine, there: Machine, options: CrowdOptions) {
    this.#self = self;
    this.#there = there;
    this.#options = options;
    self.links.add(this);
    this.#requests = new OwnRequests({
      clock: options.clock,
      limits: LINK_LIMITS,
      timedOut: (block) => {
        this.#forget(block);
        self.downloads.timedOut(this, block);
      },
    });
  }

  get peerId(): string {
    return this.#there.peerId;
  }

  get address(): string {
    return this.#there.name;
  }

  get name(): string {
    return this.#there.name;
  }

  get common(): readonly InfoHash[] {
    return [this.#options.torrent];
  }

  get heardAt(): number {
    return this.#options.clock.now();
  }

  get outstanding(): number {
    return this.#waiting.size;
  }

  /** This machine has a piece that it may offer. */
  hasPiece(piece: number): void {
    if (this.wantedBy === undefined) return;
    if (this.#leased) this.#later(() => this.#there.downloads.have(this.far, piece));
    else this.#offer();
  }

  send(message: FilesMessage): void {
    this.#later(() => this.far.#hears(message));
  }

  request(block: BlockRef, time?: AnswerTime): boolean {
    const { clock, file } = this.#options;
    if (!this.#open || !this.#there.offers.has(block.index)) throw new Error('it never promised that');
    this.#there.free = Math.max(this.#there.free, clock.now() + LATENCY_MS) + 1 / UPLOAD_RATE;
    const wait = this.#there.free - clock.now();
    const key = `${block.index} ${block.offset}`;
    const timer = clock.setTimeout(() => {
      this.#waiting.delete(key);
      this.#requests.came(block);
      const start = block.index * PIECE_BYTES + block.offset;
      this.#self.downloads.block(this, block, file.data.subarray(start, start + block.length));
    }, wait);
    this.#requests.add(block, time);
    this.#waiting.set(key, timer);
    return true;
  }

  cancel(block: BlockRef): void {
    this.#requests.giveUp(block);
    this.#forget(block);
  }

  close(fault: LinkFault): void {
    if (!this.#open) return;
    this.#open = false;
    this.#self.links.delete(this);
    for (const timer of this.#waiting.values()) timer.clear();
    this.#requests.stop();
    this.#self.downloads.linkClosed(this);
    this.far.close(fault);
  }

  have(): void {}
  piece(): void {}
  reject(): void {}
  allowFast(): void {}
  disallowFast(): void {}
  choke(): void {}
  interest(): void {}
  sendPeers(): void {}
  pause(): void {}
  resume(): void {}

  #hears(message: FilesMessage): void {
    const { downloads } = this.#self;
    const { sha256 } = this.#options.file;
    switch (message.type) {
      case 'want':
        this.wantedBy = message.files[0]?.file;
        this.wantedAt = this.#options.clock.now();
        if (this.#self.offers.isEmpty) this.send({ type: 'none', files: message.files.map(({ file }) => file) });
        else this.#offer();
        downloads.remoteWant(this, sha256, true);
        break;
      case 'unwant':
        this.wantedBy = undefined;
        downloads.remoteWant(this, sha256, false);
        break;
      case 'fetching':
        downloads.remoteFetching(this, sha256, message.pieces);
        break;
      case 'tree-request':
        this.send({ type: 'tree', file: message.file, roots: new Uint8Array() });
        break;
      case 'offer':
      case 'none':
      case 'retract':
      case 'tree':
        downloads.message(this, message);
        break;
      case 'torrents':
        break;
    }
  }

  #offer(): void {
    if (this.wantedBy === undefined) return;
    this.#leased = true;
    const { data } = this.#options.file;
    this.send({
      type: 'offer',
      file: this.wantedBy,
      base: 0,
      pieces: pieceCount(data.length),
      have: this.#self.offers.toBytes(),
    });
  }

  #forget({ index, offset }: BlockRef): void {
    const key = `${index} ${offset}`;
    this.#waiting.get(key)?.clear();
    this.#waiting.delete(key);
  }

  #later(callback: () => void): void {
    this.#options.clock.setTimeout(() => {
      if (this.#open) callback();
    }, LATENCY_MS);
  }
}

export function connect(a: Machine, b: Machine, options: CrowdOptions): void {
  const [here, there] = [new End(a, b, options), new End(b, a, options)];
  here.far = there;
  there.far = here;
  a.downloads.linkOpened(here);
  b.downloads.linkOpened(there);
}

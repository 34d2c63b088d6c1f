/**
 * Machines that want the same file from one mirror, on a clock that the test holds: each has real downloads, and just
 * enough of the rest of a daemon around them (transfers, a mirror that all share).
 */
import type { InfoHash } from '../../../../src/core/ids.ts';
import { InPlace } from '../../../../src/core/in-place.ts';
import { RangeSet } from '../../../../src/core/range-set.ts';
import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { PIECE_BYTES, pieceCount, wholePieces } from '../../../../src/core/swarm/pieces.ts';
import { BlockPool } from '../../../../src/actors/swarm/block-pool.ts';
import { Downloads } from '../../../../src/actors/swarm/download/downloads.ts';
import { type PeerView, SEEK_MS, type WantedFile } from '../../../../src/actors/swarm/protocol.ts';
import type { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';
import type { End } from './crowd-link.ts';
import type { FakeFile } from './fake-peer.ts';

export interface CrowdOptions {
  readonly clock: ManualClock;
  readonly file: FakeFile;
  readonly torrent: InfoHash;
  readonly path: (name: string) => string;
}

const MAX_MIRROR_JOBS = 2;
const MAX_PEER_JOBS = 4;
const PEER_JOB_BYTES = 4 * PIECE_BYTES;
const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** One mirror, whose bytes are shared equally by all who fetch. */
export class Mirror {
  readonly #bytesPerMs: number;
  readonly jobs = new Set<{ start: number; end: number; at: number; readonly machine: Machine }>();
  sent = 0;

  constructor(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs;
  }

  tick(ms: number): void {
    const share = Math.floor((this.#bytesPerMs * ms) / Math.max(this.jobs.size, 1));
    for (const job of this.jobs) {
      const bytes = Math.min(share, job.end - job.at);
      this.sent += bytes;
      job.machine.arrives(job.at, job.at + bytes);
      job.at += bytes;
      if (job.at >= job.end) this.jobs.delete(job);
    }
    for (const machine of new Set(Array.from(this.jobs, ({ machine: each }) => each))) machine.saysMirrored();
  }
}

export class Machine {
  readonly name: string;
  readonly peerId: string;
  readonly downloads: Downloads;
  readonly links = new Set<End>();
  readonly have = new RangeSet();
  readonly #fromMirror = new RangeSet();
  readonly #peerJobs = new RangeSet();
  readonly #options: CrowdOptions;
  readonly #mirror: Mirror;
  #view: PeerView | undefined;
  #nextJob = 1;
  #peerJobCount = 0;
  #saidAt = -Infinity;
  doneAt: number | undefined;
  dead = false;
  free = 0;

  constructor(name: string, options: CrowdOptions, mirror: Mirror) {
    this.name = name;
    this.peerId = Buffer.from(name.padEnd(20, '-')).toString('hex');
    this.#options = options;
    this.#mirror = mirror;
    this.downloads = new Downloads({
      clock: options.clock,
      log: QUIET,
      ownPeerId: this.peerId,
      blocks: new BlockPool(),
      inPlace: new InPlace(20),
      links: () => this.links,
      ban: (_, { message }) => {
        throw new Error(message);
      },
      offered: (_, view) => {
        this.#view = view;
        this.pump();
      },
      wrote: (_, start, end) => this.have.add(start, end),
      pieceRoot: () => Promise.reject(new Error('not here')),
      finalPath: options.path,
      takeTokens: () => 0,
      wanters: () => [...this.links].filter(({ wantedBy }) => wantedBy !== undefined),
      earlier: () => new Set([...this.links].filter(({ wantedAt }) => this.#options.clock.now() - wantedAt >= SEEK_MS)),
      pieceAgreed: () => undefined,
    });
  }

  get #wanted(): WantedFile {
    const { file, torrent, path } = this.#options;
    return { id: 1, sha256: file.sha256, size: file.data.length, path: path(this.name), focus: 0, torrents: [torrent] };
  }

  /** Pieces that it may offer. */
  get offers(): Bitmap {
    const { data } = this.#options.file;
    return this.doneAt === undefined
      ? wholePieces(data.length, this.#fromMirror.ranges)
      : Bitmap.full(pieceCount(data.length));
  }

  start(): void {
    void this.downloads.seek(this.#wanted).then((view) => {
      this.#view = view;
      this.pump();
    });
  }

  /** Bytes from the mirror. */
  arrives(start: number, end: number): void {
    if (this.dead) return;
    const before = this.offers;
    this.have.add(start, end);
    this.#fromMirror.add(start, end);
    for (const piece of this.offers) if (!before.has(piece)) for (const link of this.links) link.hasPiece(piece);
    this.#done();
    this.pump();
  }

  saysMirrored(now = false): void {
    const { clock } = this.#options;
    if (this.doneAt !== undefined || (!now && clock.now() - this.#saidAt < 100)) return;
    this.#saidAt = clock.now();
    const mine = [...this.#mirror.jobs].filter(({ machine }) => machine === this);
    const fetching = mine.map(({ start, end }) => [start, end] as const).toSorted(([a], [b]) => a - b);
    this.downloads.mirrored(1, fetching, this.#fromMirror.toJSON());
  }

  /** Asks peers for what they have, and the mirror for what nobody has or is about to have. */
  pump(): void {
    if (this.#view === undefined || this.doneAt !== undefined || this.dead) return;
    const { available, elsewhere } = this.#view;
    const taken = this.have.clone();
    for (const { start, end } of this.#peerJobs.ranges) taken.add(start, end);
    const jobs = [...this.#mirror.jobs].filter(({ machine }) => machine === this);
    for (const { start, end } of jobs) taken.add(start, end);
    for (const [from, to] of available) {
      for (const gap of taken.missing(from, to)) {
        for (let { start } = gap; start < gap.end && this.#peerJobCount < MAX_PEER_JOBS; start += PEER_JOB_BYTES) {
          this.#fetch(start, Math.min(start + PEER_JOB_BYTES, gap.end));
        }
      }
      taken.add(from, to);
    }
    for (const [from, to] of elsewhere) taken.add(from, to);
    let open = jobs.length;
    for (const gap of taken.missing(0, this.#options.file.data.length)) {
      for (let { start } = gap; start < gap.end && open < MAX_MIRROR_JOBS; open++) {
        const end = Math.min((Math.floor(start / PIECE_BYTES) + 1) * PIECE_BYTES, gap.end);
        this.#mirror.jobs.add({ start, end, at: start, machine: this });
        start = end;
        this.saysMirrored(true);
      }
    }
  }

  die(): void {
    this.dead = true;
    for (const job of this.#mirror.jobs) if (job.machine === this) this.#mirror.jobs.delete(job);
    for (const link of [...this.links]) link.close({ kind: 'closed', message: 'killed' });
  }

  #fetch(start: number, end: number): void {
    this.#peerJobs.add(start, end);
    this.#peerJobCount += 1;
    void this.downloads.fetch({ id: this.#nextJob++, want: 1, start, end }).then(({ kind }) => {
      if (kind === 'done') this.have.add(start, end);
      this.#peerJobs.remove(start, end);
      this.#peerJobCount -= 1;
      this.#done();
      this.pump();
    });
  }

  #done(): void {
    if (this.doneAt !== undefined || !this.have.covers(0, this.#options.file.data.length)) return;
    const before = this.offers;
    this.doneAt = this.#options.clock.now();
    for (const job of this.#mirror.jobs) if (job.machine === this) this.#mirror.jobs.delete(job);
    this.downloads.over(1, true);
    for (const piece of this.offers) if (!before.has(piece)) for (const link of this.links) link.hasPiece(piece);
  }
}

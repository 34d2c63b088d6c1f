/**
 * Answers requests with blocks: each peer's in order, the peers in turn, no faster than the limit and than their
 * sockets take it, with a bound on what is in memory. Neighbouring blocks are read in one go, each into a buffer of its
 * own, which is used again when the socket has taken it.
 */
import type { Clock } from '../../../core/clock.ts';
import { soon } from '../../../core/soon.ts';
import { FairQueue } from '../../../core/swarm/fair-queue.ts';
import type { TokenBucket } from '../../../core/swarm/token-bucket.ts';
import type { BlockPool } from '../block-pool.ts';
import type { BlockRef, Link } from '../link/link.ts';
import type { FileHandles } from './file-handles.ts';
import type { SharedFile } from './shared-file.ts';

export interface UploadRequest {
  readonly block: BlockRef;
  readonly file: SharedFile;
  readonly piece: number;
  /** Where the block begins in the file. */
  readonly start: number;
}

export interface SenderDeps {
  readonly clock: Clock;
  readonly handles: FileHandles;
  readonly blocks: BlockPool;
  readonly limit: TokenBucket;
  /** The file cannot be read, or is not what it was. */
  failed(file: SharedFile, error: Error): void;
}

/** What is read in one go. */
interface Run {
  readonly link: Link;
  readonly file: SharedFile;
  /** Those that were answered meanwhile are taken out. */
  readonly requests: Set<UploadRequest>;
  readonly start: number;
  readonly bytes: number;
  data: Map<UploadRequest, Buffer> | undefined;
  done: boolean;
}

/** Bytes that are being read, or wait for the ones before them; and that are read in one go. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_READS = 32;
const READS_PER_LINK = 2;
const RUN_BYTES = 512 * 1024;
const LIMITED_RUN_BYTES = 128 * 1024;
/** Blocks from this size on take a buffer of the pool, which may be twice as long; others one of their own size. */
const POOLED_BYTES = 64 * 1024;

export class Sender {
  readonly #deps: SenderDeps;
  readonly #queue = new FairQueue<Link, UploadRequest>();
  /** In the order in which they are to be sent. */
  readonly #runs = new Map<Link, Run[]>();
  #bytes = 0;
  #reads = 0;
  #isPumping = false;
  #rest: NodeJS.Immediate | undefined;
  #isStopped = false;
  #timer: { clear(): void } | undefined;

  constructor(deps: SenderDeps) {
    this.#deps = deps;
  }

  /** Requests of a peer that wait for their turn. */
  waiting(link: Link): number {
    return this.#queue.length(link);
  }

  push(link: Link, request: UploadRequest): void {
    this.#queue.push(link, request);
    this.pump();
  }

  /** Rejects a peer's open requests that match. */
  reject(link: Link, matches: (request: UploadRequest) => boolean): void {
    for (const request of this.#queue.take(link, matches)) link.reject(request.block);
    for (const { requests } of this.#runs.get(link) ?? []) {
      for (const request of requests) {
        if (matches(request) && requests.delete(request)) link.reject(request.block);
      }
    }
  }

  /** The link has closed: nothing is answered any more. */
  drop(link: Link): void {
    this.#queue.drop(link);
    this.#runs.delete(link);
  }

  stop(): void {
    this.#timer?.clear();
    clearImmediate(this.#rest);
    this.#isStopped = true;
  }

  /** Goes on as far as it can, when the caller is done: requests come in groups. */
  pump(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    soon(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (let left = MAX_BYTES; !this.#isStopped && this.#bytes < MAX_BYTES && this.#reads < MAX_READS;) {
      // What others have to tell is heard in between.
      if (left <= 0) return void (this.#rest ??= setImmediate(() => this.#goOn()));
      const link = this.#queue.turn((link) => link.writable && (this.#runs.get(link)?.length ?? 0) < READS_PER_LINK);
      const run = link && this.#nextRun(link);
      if (run === undefined) return undefined;
      left -= run.bytes;
      this.#read(run);
    }
    return undefined;
  }

  #goOn(): void {
    this.#rest = undefined;
    this.#pump();
  }

  /** Takes as many neighbouring blocks as may go now from the queue; undefined when the limit says wait. */
  #nextRun(link: Link): Run | undefined {
    const { limit, clock } = this.#deps;
    const most = limit.limited ? LIMITED_RUN_BYTES : RUN_BYTES;
    const first = this.#queue.peek(link) as UploadRequest;
    const requests = new Set<UploadRequest>();
    let bytes = 0;
    for (let next: UploadRequest | undefined = first; next !== undefined; next = this.#queue.peek(link)) {
      const { length } = next.block;
      const fits = requests.size === 0 || bytes + length <= most;
      if (!fits || next.file !== first.file || next.start !== first.start + bytes) break;
      const wait = limit.take(length, clock.now());
      if (wait > 0) {
        this.#pumpIn(wait);
        break;
      }
      this.#queue.shift(link);
      requests.add(next);
      bytes += length;
    }
    if (requests.size === 0) return undefined;
    this.#queue.served(link);
    return { link, file: first.file, requests, start: first.start, bytes, data: undefined, done: false };
  }

  #pumpIn(ms: number): void {
    this.#timer ??= this.#deps.clock.setTimeout(() => {
      this.#timer = undefined;
      this.pump();
    }, ms);
  }

  #read(run: Run): void {
    const { handles, blocks } = this.#deps;
    const runs = this.#runs.get(run.link) ?? [];
    this.#runs.set(run.link, runs);
    runs.push(run);
    this.#reads += 1;
    this.#bytes += run.bytes;
    const data = new Map(Array.from(run.requests, (request) => [request, bufferFor(blocks, request.block.length)]));
    const done = () => this.#isRead(run, runs, data);
    const failed = (error: unknown) => {
      this.#deps.failed(run.file, error as Error);
      this.#isRead(run, runs, undefined);
    };
    try {
      const reading = handles.read(run.file, run.start, [...data.values()]);
      if (reading === undefined) done();
      else void reading.then(done, failed).then(() => this.pump());
    } catch (error) {
      failed(error);
    }
  }

  #isRead(run: Run, runs: Run[], data: Map<UploadRequest, Buffer> | undefined): void {
    run.data = data;
    run.done = true;
    this.#reads -= 1;
    while (runs[0]?.done === true) {
      const next = runs.shift() as Run;
      this.#bytes -= next.bytes;
      if (this.#runs.get(run.link) === runs) this.#send(next);
      else for (const buffer of next.data?.values() ?? []) this.#deps.blocks.give(buffer);
    }
    if (runs.length === 0 && this.#runs.get(run.link) === runs) this.#runs.delete(run.link);
  }

  #send({ link, requests, data }: Run): void {
    const { blocks } = this.#deps;
    for (const request of requests) {
      const { block, file, piece } = request;
      const buffer = data?.get(request);
      // A partial file may have lost pieces while they were read.
      if (buffer === undefined || !file.has(piece)) {
        link.reject(block);
        continue;
      }
      data?.delete(request);
      link.piece(block, buffer, () => blocks.give(buffer));
    }
    for (const unused of data?.values() ?? []) blocks.give(unused);
  }
}

function bufferFor(blocks: BlockPool, length: number): Buffer {
  return length < POOLED_BYTES ? Buffer.allocUnsafeSlow(length) : blocks.take(length);
}

/**
 * Answers straight from the mirror when the store cannot take the file: a full disk must not be an error. What has a
 * hash is still checked, and its last block waits for that; a client that has got a part already goes on from there if it
 * is the same that comes now.
 */
import { createHash, type Hash } from 'node:crypto';

import { MAX_FILE_BYTES } from '../core/archive/deb822-bytes.ts';
import { Cancellation } from '../core/cancellation.ts';
import type { DatedClock } from '../core/clock.ts';
import { DebtorrentError } from '../core/errors.ts';
import type { HostRules } from '../core/host-rules.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import type { Sha256 } from '../core/ids.ts';
import { SMALL_FILE_BYTES } from '../core/job-size.ts';
import type { TokenBucket } from '../core/swarm/token-bucket.ts';
import type { Exchanger } from '../actors/http-backup/exchange.ts';
import { fetchRange } from '../actors/http-backup/fetch-range.ts';
import type { BodyWriter, BodyWriterOptions } from '../actors/http-backup/range-writer.ts';
import type { FileInfo } from '../actors/source.ts';
import { LAST_BLOCK_BYTES } from '../actors/transfers/content.ts';
import type { FileHead } from '../actors/transfers/protocol.ts';
import { rangeJob } from '../actors/transfers/range-job.ts';
import type { ClientExchange } from './exchange.ts';
import { checkSize, sameFile, sendFileHead } from './send-file.ts';

export interface PassThroughDeps extends Pick<DatedClock, 'now' | 'date'> {
  exchanger(): Promise<Exchanger>;
  readonly rules: HostRules;
  readonly userAgent: string;
  readonly via?: string;
  readonly limit?: TokenBucket | undefined;
  received(host: string, bytes: number): void;
}

/**
 * Connections to one mirror for what passes by the store. Each client keeps its own, as it would without a proxy: one that
 * takes nothing must not hold those of the others. With this many, what waits for clients is half a GiB.
 */
export const PASSED_CONNECTIONS = 128;
/** Bytes that wait for the client until the mirror is paused, and until it goes on. */
const HIGH_WATER = 4 * 1024 * 1024;
const LOW_WATER = HIGH_WATER / 2;

/**
 * Resolves with the SHA-256 of what came; `begun` is called before the first byte of an answer.
 * @throws DebtorrentError when nothing, or not all, could be sent; the caller ends the answer.
 */
export async function passThrough(
  deps: PassThroughDeps,
  client: ClientExchange,
  plan: FetchPlan,
  begun?: () => void,
): Promise<Sha256 | undefined> {
  // One that is paused behind others would keep a connection to the mirror that these may need; a small one never is.
  if (plan.size === undefined || plan.size > SMALL_FILE_BYTES) await client.next();
  const exchanger = await deps.exchanger();
  // Of a Release all comes also for a 304: only its hash says whether it is the one that is known.
  const cancellation = begun === undefined ? client.cancellation : new Cancellation();
  let writer: ClientWriter | undefined;
  let failure = new DebtorrentError('MIRROR_UNREACHABLE', 'no mirror is left to ask');
  for (const url of [plan.url, ...plan.alternates]) {
    const { outcome, url: sender } = await fetchRange(
      {
        ...deps,
        slot: async () => ({ exchanger, leave: () => undefined }),
        createWriter: (options) => (writer = new ClientWriter(client, plan, options, deps.date)),
        sink: {
          tell: (kind, ...args) => {
            if (kind !== 'started') return true;
            begun?.();
            writer?.start(args[1] as FileInfo);
            return true;
          },
        },
      },
      {
        ...rangeJob({ url, start: 0, maxSize: MAX_FILE_BYTES, size: plan.size, reload: plan.reload }),
        id: 0,
        path: '',
      },
      cancellation,
    );
    if (outcome.kind === 'done') {
      if (plan.sha256 !== undefined && outcome.sha256 !== plan.sha256) {
        throw new DebtorrentError('HASH_MISMATCH', `${sender} has SHA-256 ${outcome.sha256}, not ${plan.sha256}`);
      }
      await writer?.release();
      return outcome.sha256;
    }
    // The headers were the whole answer: what it was cancelled for is that it has gone out.
    if (writer?.headersOnly === true) return undefined;
    failure =
      outcome.kind === 'failed'
        ? new DebtorrentError(outcome.code, `${url}: ${outcome.message}`)
        : new DebtorrentError('MIRROR_PROTOCOL', `${url}: ${outcome.kind}`);
    if (client.res.headersSent) break;
  }
  throw failure;
}

/** Writes a body to the client, without its last block until that is released and without what it has already. */
class ClientWriter implements BodyWriter {
  readonly #client: ClientExchange;
  readonly #plan: FetchPlan;
  readonly #options: BodyWriterOptions;
  readonly #date: DatedClock['date'];
  #end = 0;
  #from = 0;
  #until = Number.POSITIVE_INFINITY;
  /** Bytes that wait: the last block, and what the client has not taken yet. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #heldFrom = 0;
  #headersOnly = false;
  /** Of what the client has got of this answer, as it comes now. */
  #again: Hash | undefined;
  /** Bytes that are not with the kernel yet. */
  #unsent = 0;
  #paused = false;
  #sending: Promise<void> = Promise.resolve();
  error: Error | undefined;

  constructor(client: ClientExchange, plan: FetchPlan, options: BodyWriterOptions, date: DatedClock['date']) {
    this.#client = client;
    this.#plan = plan;
    this.#options = options;
    this.#date = date;
  }

  get end(): number {
    return this.#end;
  }

  /** No byte of the body is for the client, as in a 304. */
  get headersOnly(): boolean {
    return this.#headersOnly;
  }

  start(info: FileInfo): void {
    const { promised, bytes, hasBytes } = this.#client;
    if (promised !== undefined) {
      checkSize(promised.file, info);
      if (this.#plan.sha256 === undefined && !sameFile(promised.file, info, hasBytes)) {
        throw new DebtorrentError('HASH_MISMATCH', whyNotSame(promised.file, info));
      }
      this.#from = promised.start + bytes;
      this.#until = promised.end ?? Number.POSITIVE_INFINITY;
      if (this.#plan.sha256 !== undefined && bytes > 0) this.#again = createHash('sha256');
      return;
    }
    const head = {
      size: info.size,
      sha256: this.#plan.sha256,
      lastModified: info.lastModified,
      etag: info.etag,
      contentType: info.contentType,
      source: 'mirror' as const,
    };
    const extent = sendFileHead(this.#client, head, this.#plan.sha256 !== undefined, this.#date());
    this.#headersOnly = extent === undefined;
    this.#from = extent?.start ?? 0;
    this.#until = extent?.end ?? Number.POSITIVE_INFINITY;
  }

  push(chunk: Buffer): void {
    if (this.error !== undefined) return;
    this.#compare(chunk);
    if (this.error !== undefined) return;
    this.#end += chunk.length;
    this.#held.push(Buffer.from(chunk));
    this.#heldBytes += chunk.length;
    this.#flush(this.#plan.sha256 === undefined ? 0 : LAST_BLOCK_BYTES);
  }

  async finish(): Promise<void> {
    await this.#sending;
    if (this.error !== undefined) throw this.error;
  }

  /** The whole was right: the rest may go. */
  async release(): Promise<void> {
    this.#flush(0);
    await this.#sending;
    if (!this.#headersOnly) this.#client.end();
  }

  /** The hash of the whole says nothing of bytes that were sent before: they have to be the same. */
  #compare(chunk: Buffer): void {
    const { promised, sentSha256 } = this.#client;
    if (this.#again === undefined || promised === undefined) return;
    const [start, end] = [Math.max(promised.start - this.#end, 0), this.#from - this.#end];
    this.#again.update(chunk.subarray(start, end));
    if (end > chunk.length) return;
    const same = this.#again.digest('hex') === sentSha256;
    this.#again = undefined;
    if (sentSha256 === undefined) {
      this.error = new DebtorrentError(
        'STORE_IO',
        'what was sent of the file cannot be read any more to go on from it',
      );
    } else if (!same) this.error = new DebtorrentError('HASH_MISMATCH', 'the file changed on its way past the store');
  }

  #flush(keep: number): void {
    while (this.#heldBytes > keep) {
      const chunk = this.#held[0] as Buffer;
      const take = Math.min(chunk.length, this.#heldBytes - keep);
      this.#send(chunk.subarray(0, take), this.#heldFrom);
      this.#heldFrom += take;
      this.#heldBytes -= take;
      if (take === chunk.length) this.#held.shift();
      else this.#held[0] = chunk.subarray(take);
    }
  }

  #send(chunk: Buffer, at: number): void {
    const start = Math.max(this.#from - at, 0);
    const end = Math.min(this.#until - at, chunk.length);
    if (this.#headersOnly || start >= end) return;
    const bytes = end - start;
    this.#unsent += bytes;
    const sent = this.#client.write(chunk.subarray(start, end)).then(() => this.#sent(bytes));
    this.#sending = this.#sending.then(() => sent);
    if (this.#paused || this.#unsent <= HIGH_WATER) return;
    this.#paused = true;
    this.#options.pause();
  }

  /**
   * Counted here, as `drain` says too little: node:http also tells an answer of it when those before it on the connection
   * are through, and then says nothing when its own bytes are.
   */
  #sent(bytes: number): void {
    this.#unsent -= bytes;
    if (!this.#paused || this.#unsent > LOW_WATER) return;
    this.#paused = false;
    this.#options.resume();
  }
}

function whyNotSame(before: FileHead, now: FileInfo): string {
  const said = [before, now].some(({ etag, lastModified }) => etag !== undefined || lastModified !== undefined);
  if (said || before.size !== now.size) return 'the file changed on the mirror while it was sent';
  return 'the store has no room for the rest, and the mirror has neither ETag nor Last-Modified to tell if it is the same';
}

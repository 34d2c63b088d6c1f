/** Takes the body of an accepted answer: bounds it, undoes a coding, hashes what is whole, has it written. */
import { createHash, type Hash } from 'node:crypto';
import { createBrotliDecompress, createGunzip, createInflate, type Gunzip } from 'node:zlib';

import { DebtorrentError, storeError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { RangeJob, RangeOutcome } from '../source.ts';
import type { Body } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { BodyWriter, BodyWriterOptions } from './range-writer.ts';

export interface BodySinkDeps {
  readonly job: RangeJob;
  readonly body: Body;
  readonly control: Exchange;
  createWriter(options: BodyWriterOptions): BodyWriter;
  wrote(start: number, end: number): void;
  /** Takes bytes that came from what may come; in how many milliseconds there may be more. */
  spend(bytes: number): number;
}

type Hold = 'writer' | 'decoder' | 'limit';

export class BodySink {
  readonly #deps: BodySinkDeps;
  readonly #writer: BodyWriter;
  readonly #decoder: Gunzip | undefined;
  readonly #hash: Hash | undefined;
  /** Bytes, from the beginning of the file, that may be written at most. */
  readonly #limit: number;
  /** Why the mirror has to wait: the writer, or the decoder, cannot take more now, or more would be over the limit. */
  readonly #holds = new Set<Hold>();
  #overLimit: NodeJS.Timeout | undefined;
  #fault: Error | undefined;
  #finished: Promise<void> | undefined;

  constructor(deps: BodySinkDeps) {
    this.#deps = deps;
    const { job, body } = deps;
    this.#limit = body.end ?? job.size ?? job.maxSize;
    this.#decoder = this.#createDecoder();
    this.#writer = deps.createWriter({
      path: job.path,
      start: body.start,
      wrote: (start, end) => deps.wrote(start, end),
      pause: () => {
        this.#decoder?.pause();
        this.#hold('writer');
      },
      resume: () => {
        this.#decoder?.resume();
        this.#release('writer');
      },
    });
    if (body.whole) this.#hash = createHash('sha256');
  }

  push(chunk: Buffer): void {
    if (this.#fault !== undefined) return;
    this.#pay(chunk.length);
    const decoder = this.#decoder;
    if (this.#writer.error !== undefined) {
      this.#fail(storeError(this.#writer.error));
    } else if (decoder === undefined) {
      this.#store(chunk);
    } else if (!decoder.write(Buffer.from(chunk)) && !this.#holds.has('decoder')) {
      // A few bytes may decode to very many: the next ones wait until these are through.
      this.#hold('decoder');
      decoder.once('drain', () => this.#release('decoder'));
    }
  }

  /** Waits until all that came is written; throws what went wrong. May be called again. */
  finish(): Promise<void> {
    return (this.#finished ??= this.#finish());
  }

  /**
   * What the job came to, after `finish`.
   * @throws DebtorrentError MIRROR_TRUNCATED
   */
  outcome(): RangeOutcome {
    const { body } = this.#deps;
    const { end } = this.#writer;
    if (body.end !== undefined && end < body.end) {
      throw new DebtorrentError('MIRROR_TRUNCATED', `the mirror ended the file at ${end} of ${body.end} bytes`);
    }
    const info = body.whole ? { ...body.info, size: end } : body.info;
    const sha256 = this.#hash?.digest('hex') as Sha256 | undefined;
    return { kind: 'done', info, end, ...(sha256 !== undefined && { sha256 }) };
  }

  async #finish(): Promise<void> {
    clearTimeout(this.#overLimit);
    const decoder = this.#decoder;
    if (decoder !== undefined && this.#fault === undefined) {
      await new Promise<void>((resolve) => {
        decoder.once('close', resolve);
        decoder.end();
      });
    }
    try {
      await this.#writer.finish();
    } catch (error) {
      throw this.#fault ?? storeError(error);
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  #createDecoder(): Gunzip | undefined {
    const { decode } = this.#deps.body;
    if (decode === undefined) return undefined;
    const decoders = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };
    const decoder = decoders[decode]();
    decoder.on('data', (chunk: Buffer) => this.#store(chunk));
    decoder.on('error', (error) => this.#fail(new DebtorrentError('MIRROR_PROTOCOL', error.message)));
    return decoder;
  }

  #store(chunk: Buffer): void {
    if (this.#fault !== undefined) return;
    if (this.#writer.end + chunk.length > this.#limit) {
      const known = this.#deps.body.end !== undefined || this.#deps.job.size !== undefined;
      this.#fail(new DebtorrentError(known ? 'HASH_MISMATCH' : 'TOO_LARGE', `more than ${this.#limit} bytes came`));
      return;
    }
    this.#hash?.update(chunk);
    this.#writer.push(chunk);
  }

  #pay(bytes: number): void {
    const wait = this.#deps.spend(bytes);
    if (wait === 0) return;
    clearTimeout(this.#overLimit);
    this.#overLimit = setTimeout(() => this.#release('limit'), wait);
    this.#hold('limit');
  }

  #hold(reason: Hold): void {
    if (this.#holds.size === 0) this.#deps.control.pause();
    this.#holds.add(reason);
  }

  #release(reason: Hold): void {
    if (this.#holds.delete(reason) && this.#holds.size === 0) this.#deps.control.resume();
  }

  #fail(error: Error): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#decoder?.destroy();
    this.#deps.control.abort(error);
  }
}

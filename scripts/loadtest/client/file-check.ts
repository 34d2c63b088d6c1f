/** One file on its way to a client: how much of it is there, and whether it is right. */
import { type Hash, createHash } from 'node:crypto';

export class FileCheck {
  #hash: Hash = createHash('sha256');
  received = 0;
  /** Last-Modified of the answer that the bytes are from, with which the rest can be asked for. */
  date: string | undefined;

  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.received += chunk.length;
  }

  restart(date: string | undefined): void {
    if (this.received > 0) this.#hash = createHash('sha256');
    this.received = 0;
    this.date = date;
  }

  /** Ends it. */
  isRight(size: number, sha256: string): boolean {
    return this.received === size && this.#hash.digest('hex') === sha256;
  }
}

/**
 * The file in APT's partial/ that a download is written to. Whoever may write in that directory must not be able to
 * have the method write through a link of theirs: it is made anew, or taken up only if it is nobody else's. What is
 * hashed is what was written, byte for byte: APT believes these hashes.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

import { digestName, type HashName } from '../core/method/expected.ts';

const MODE = 0o644;
const READ_BYTES = 1024 * 1024;

export class TargetFile {
  readonly path: string;
  readonly #fd: number;
  readonly #hashes: ReadonlyMap<HashName, Hash>;
  #size = 0;

  private constructor(path: string, fd: number, hashes: readonly HashName[]) {
    this.path = path;
    this.#fd = fd;
    this.#hashes = new Map(hashes.map((name) => [name, createHash(digestName(name))]));
  }

  /** An empty file in place of what was there. @throws what the system says. */
  static create(path: string, hashes: readonly HashName[]): TargetFile {
    removeTarget(path);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    return new TargetFile(path, openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE), hashes);
  }

  /** Opens what an earlier run has left and hashes it; undefined when there is nothing to go on with. */
  static async resume(path: string, hashes: readonly HashName[]): Promise<TargetFile | undefined> {
    if (partialSize(path) === 0) return undefined;
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
    } catch {
      return undefined;
    }
    const file = new TargetFile(path, fd, hashes);
    try {
      const { uid, nlink } = fstatSync(fd);
      if (uid === process.geteuid?.() && nlink === 1 && (await file.#hashContent())) return file;
    } catch {
      // it is made anew
    }
    file.close();
    return undefined;
  }

  /** Bytes that are in the file. */
  get size(): number {
    return this.#size;
  }

  write(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length;) {
      offset += writeSync(this.#fd, chunk, offset, chunk.length - offset, this.#size + offset);
    }
    for (const hash of this.#hashes.values()) hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Closes the file; the digests in hexadecimal. */
  finish(lastModifiedMs: number | undefined): ReadonlyMap<HashName, string> {
    this.close(lastModifiedMs);
    return new Map([...this.#hashes].map(([name, hash]) => [name, hash.digest('hex')]));
  }

  /** Leaves what was written for another try, under the time by which a mirror knows it. */
  close(lastModifiedMs?: number): void {
    if (lastModifiedMs !== undefined) futimesSync(this.#fd, lastModifiedMs / 1000, lastModifiedMs / 1000);
    closeSync(this.#fd);
  }

  async #hashContent(): Promise<boolean> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (;;) {
      const length = readSync(this.#fd, buffer, 0, buffer.length, this.#size);
      if (length === 0) return true;
      for (const hash of this.#hashes.values()) hash.update(buffer.subarray(0, length));
      this.#size += length;
      await new Promise(setImmediate); // other downloads go on meanwhile
    }
  }
}

/** Bytes of a regular file at the path, 0 when there is none. */
export function partialSize(path: string): number {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : 0;
}

/** Removes a file or link. @throws Error for anything else, such as /dev/null. */
export function removeTarget(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isFile() && !stats.isSymbolicLink()) throw new Error(`${path} is no regular file`);
  unlinkSync(path);
}

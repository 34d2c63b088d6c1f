/**
 * Keyrings that cannot be used. What they vouch for is not verified any more, which says nothing of the cause: so each
 * is told of once, and once more when it can be used again.
 */
import { constants, type Stats } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import type { Logger } from '../../core/logging.ts';

/** Bytes; Debian's has some 50 KB. */
const MAX_KEYRING_BYTES = 16 * 1024 * 1024;

export class LostKeyrings {
  readonly #log: Logger;
  readonly #named: ReadonlySet<string>;
  readonly #told = new Set<string>();

  /** `named` are to be there; others may be missing or empty, as a system happens to have them. */
  constructor(log: Logger, named: readonly string[] = []) {
    this.#log = log;
    this.#named = new Set(named);
  }

  /** What the file system says of it; undefined when it cannot be used. */
  async look(path: string): Promise<Stats | undefined> {
    try {
      const found = await stat(path);
      await access(path, constants.R_OK);
      if (found.isFile() && found.size <= MAX_KEYRING_BYTES) return found;
      this.#lost(path, found.isFile() ? `it has ${found.size} bytes` : 'it is no file');
    } catch (error) {
      this.#failed(path, error as NodeJS.ErrnoException);
    }
    return undefined;
  }

  /** Undefined when it cannot be read now. */
  async read(path: string): Promise<Buffer | undefined> {
    try {
      const file = await readFile(path);
      if (file.length === 0 && this.#named.has(path)) this.#lost(path, 'it is empty');
      else if (this.#told.delete(path)) this.#log.info({ path }, 'the keyring can be used again');
      return file;
    } catch (error) {
      this.#failed(path, error as NodeJS.ErrnoException);
      return undefined;
    }
  }

  #failed(path: string, { code, message }: NodeJS.ErrnoException): void {
    if (code !== 'ENOENT' || this.#named.has(path)) this.#lost(path, message);
    else this.#told.delete(path);
  }

  #lost(path: string, reason: string): void {
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#log.warn(
      { path, reason },
      'a keyring cannot be used: what only its keys have signed is not verified, or not shared',
    );
  }
}

/**
 * The keyrings that signatures are checked against, as gpgv wants them. It reads at most 40, none of them armoured,
 * and gives up at one that it cannot read: so all that can be read are put together in one file, made anew when one
 * of them changes.
 */
import { createHash } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../core/logging.ts';
import { isSources, keysInSources } from './inline-keys.ts';
import { isKeybox, readKeys } from './openpgp-keys.ts';

export interface Keyrings {
  /** Files for gpgv; the first is there always. */
  readonly files: readonly [string, ...string[]];
  /** Changes when the keys do; not when a keyring is only written anew. */
  readonly stamp: string;
}

export interface KeyringSourceDeps {
  /** Where the common file goes. */
  readonly dir: string;
  /** Part of its name. */
  readonly name: string;
  /** The keyrings' paths as of now, sources with keys in them among them; those that are not there are left out. */
  readonly list: () => Promise<readonly string[]>;
  readonly log: Logger;
}

/** Bytes; Debian's has some 50 KB. */
const MAX_KEYRING_BYTES = 16 * 1024 * 1024;
const MAX_KEYRINGS = 500;
/** Keyboxes are given to gpgv one by one. */
const MAX_KEYBOXES = 30;

export class KeyringSource {
  readonly #deps: KeyringSourceDeps;
  #current: Keyrings | undefined;
  /** Paths, sizes and times that `#current` was made from. */
  #seen = '';
  /** The common file is as it should be. */
  #written = false;

  constructor(deps: KeyringSourceDeps) {
    this.#deps = deps;
  }

  async current(): Promise<Keyrings> {
    const digest = createHash('sha256');
    const paths: string[] = [];
    for (const path of (await this.#deps.list()).slice(0, MAX_KEYRINGS)) {
      const found = await stat(path).catch(() => undefined);
      if (!found?.isFile() || found.size > MAX_KEYRING_BYTES) continue;
      paths.push(path);
      digest.update(`${path}\0${found.size}\0${found.mtimeMs}\0${found.ino}\0`);
    }
    const seen = digest.digest('hex');
    if (this.#current !== undefined && this.#seen === seen) return this.#current;
    const built = await this.#build(paths);
    if (this.#written) {
      this.#current = built;
      this.#seen = seen;
    }
    return built;
  }

  async #build(paths: readonly string[]): Promise<Keyrings> {
    const { dir, name, log } = this.#deps;
    const parts: Buffer[] = [];
    const boxes: string[] = [];
    const stamp = createHash('sha256');
    for (const path of paths) {
      const file = await readFile(path).catch(() => undefined);
      if (file?.length === 0) continue;
      const keys = file && (isSources(path) ? keysInSources(file.toString('utf8')) : readKeys(file));
      if (keys) parts.push(keys);
      else if (file && isKeybox(file) && boxes.length < MAX_KEYBOXES) {
        boxes.push(path);
        stamp.update(file);
      } else log.warn({ path }, 'keyring cannot be read and is left out');
    }
    const target = join(dir, `${name}.gpg`);
    const keys = Buffer.concat(parts);
    const before = await readFile(target).catch(() => undefined);
    this.#written = before?.equals(keys) === true || (await this.#write(target, keys));
    return { files: [target, ...boxes], stamp: stamp.update(keys).digest('hex') };
  }

  /** False on a full disk: nothing new is verified until there is room, and what is known stays in force. */
  async #write(target: string, keys: Buffer): Promise<boolean> {
    try {
      await writeFile(`${target}.new`, keys);
      await rename(`${target}.new`, target);
      return true;
    } catch (error) {
      this.#deps.log.warn({ path: target, err: error }, 'the keyrings cannot be put together');
      return false;
    }
  }
}

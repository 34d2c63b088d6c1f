/**
 * The keyrings that signatures are checked against, as gpgv wants them. It reads at most 40, none of them armoured,
 * gives up at one that it cannot read, and takes the first copy of a key: so all that can be read are put together in
 * one file, each key once, made anew when one of them changes. Keys that only sqv may know are in a file of their own.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../../core/logging.ts';
import { replaceFile } from '../replace-file.ts';
import { isSources, keysInSources } from './inline-keys.ts';
import { Turnstile } from './load-queue.ts';
import type { LostKeyrings } from './lost-keyrings.ts';
import { mergeKeys } from './merge-keys.ts';
import { isKeybox, readKeys, sortKeys } from './openpgp-keys.ts';

export interface Keyrings {
  /** Files for gpgv; the first is there always. */
  readonly files: readonly [string, ...string[]];
  /** For sqv besides: keys that gpgv would give up at. */
  readonly later: readonly string[];
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
  readonly lost: LostKeyrings;
  readonly log: Logger;
}

const MAX_KEYRINGS = 500;
/** Keyboxes are given to gpgv one by one. */
const MAX_KEYBOXES = 30;

/** What one path holds, as it goes into the common file. */
interface Part {
  readonly path: string;
  readonly keys: Buffer;
}

export class KeyringSource {
  readonly #deps: KeyringSourceDeps;
  #current: Keyrings | undefined;
  /** Paths, sizes and times that `#current` was made from. */
  #seen = '';
  /** The common file is as it should be, of all keyrings. */
  #final = false;
  /** What `#current` was put together from. */
  #parts: readonly Part[] = [];
  #sorting: Promise<Keyrings> | undefined;
  /** Releases of several archives are looked at at the same time, and there is one common file. */
  readonly #turns = new Turnstile();

  constructor(deps: KeyringSourceDeps) {
    this.#deps = deps;
  }

  current(): Promise<Keyrings> {
    return this.#turns.through(() => this.#now());
  }

  async #now(): Promise<Keyrings> {
    const digest = createHash('sha256');
    const paths: string[] = [];
    for (const path of (await this.#deps.list()).slice(0, MAX_KEYRINGS)) {
      const found = await this.#deps.lost.look(path);
      if (found === undefined) continue;
      paths.push(path);
      digest.update(`${path}\0${found.size}\0${found.mtimeMs}\0${found.ctimeMs}\0${found.ino}\0`);
    }
    const seen = digest.digest('hex');
    const current = this.#seen === seen ? this.#current : undefined;
    if (current && (await areThere([current.files[0], ...current.later]))) return current;
    const built = await this.#build(paths);
    if (this.#final) {
      this.#current = built;
      this.#seen = seen;
    }
    return built;
  }

  async #build(paths: readonly string[]): Promise<Keyrings> {
    const { dir, name, lost, log } = this.#deps;
    let complete = true;
    const parts: Part[] = [];
    const later: Buffer[] = [];
    const boxes: string[] = [];
    const stamp = createHash('sha256');
    for (const path of paths) {
      const file = await lost.read(path);
      complete &&= file !== undefined;
      if (file === undefined || file.length === 0) continue;
      const keys = isSources(path) ? keysInSources(file.toString('utf8')) : readKeys(file);
      if (keys) {
        const sorted = sortKeys(keys);
        parts.push({ path, keys: sorted.common });
        later.push(sorted.later);
        if (sorted.later.length > 0) log.warn({ path }, 'keys of version 5 or later are not given to gpgv');
      } else if (isKeybox(file) && boxes.length < MAX_KEYBOXES) {
        boxes.push(path);
        stamp.update(file);
      } else log.warn({ path }, 'keyring cannot be read and is left out');
    }
    this.#parts = parts;
    const target = join(dir, `${name}.gpg`);
    const more = { path: join(dir, `${name}-later.gpg`), keys: Buffer.concat(later) };
    const keys = joined(parts);
    const hasMore = more.keys.length > 0;
    const written = (await this.#put(target, keys)) && (!hasMore || (await this.#put(more.path, more.keys)));
    this.#final = written && complete;
    return {
      files: [target, ...boxes],
      later: hasMore ? [more.path] : [],
      stamp: stamp.update(keys).update(more.keys).digest('hex'),
    };
  }

  /**
   * The verifier could not read all of the common file: leaves those keyrings out that are to blame, each with a
   * warning. They are back when a keyring changes, and at the next start.
   */
  withoutUnreadable(reads: (keyring: string) => Promise<boolean>): Promise<Keyrings> {
    const sort = (): Promise<Keyrings> => this.#leaveOut(reads).finally(() => (this.#sorting = undefined));
    return (this.#sorting ??= this.#turns.through(sort));
  }

  async #leaveOut(reads: (keyring: string) => Promise<boolean>): Promise<Keyrings> {
    const current = await this.#now();
    const [target] = current.files;
    if (await reads(target)) return current;
    const trial = `${target}.try`;
    const sound = async (parts: readonly Part[]): Promise<readonly Part[]> => {
      if (parts.length === 0) return parts;
      const isWritten = await this.#put(trial, joined(parts));
      if (!isWritten || (await reads(trial))) return parts;
      if (parts.length > 1) {
        const half = parts.length >> 1;
        return [...(await sound(parts.slice(0, half))), ...(await sound(parts.slice(half)))];
      }
      this.#deps.log.warn({ path: parts[0]?.path }, 'keyring cannot be read by the verifier and is left out');
      return [];
    };
    const parts = await sound(this.#parts);
    await rm(trial, { force: true });
    // a keyring has changed meanwhile
    const now = await this.#now();
    if (now !== current) return now;
    this.#parts = parts;
    await this.#put(target, joined(this.#parts));
    return current;
  }

  /** False when it cannot be written and is not there. */
  async #put(target: string, keys: Buffer): Promise<boolean> {
    const before = await readFile(target).catch(() => undefined);
    return before?.equals(keys) === true || this.#write(target, keys);
  }

  /** False on a full disk: nothing new is verified until there is room, and what is known stays in force. */
  async #write(target: string, keys: Buffer): Promise<boolean> {
    try {
      // Whoever clears the cache by hand may take the directory away, too, in which Releases are verified next.
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await replaceFile(target, keys);
      return true;
    } catch (error) {
      this.#deps.log.warn({ path: target, err: error }, 'the keyrings cannot be put together');
      return false;
    }
  }
}

function joined(parts: readonly Part[]): Buffer {
  return mergeKeys(parts.map(({ keys }) => keys));
}

/** Whoever clears the cache by hand may take the common files away, too. */
async function areThere(paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return found.every((file) => file?.isFile() === true);
}

/**
 * Files below a root, which may be another machine's: no symbolic link leads out of it, whoever changes the tree
 * meanwhile. Links are followed as they are from inside (an absolute one begins at the root), step by step through
 * open directories, and what is written appears at once and whole.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { DebtorrentError } from '../../core/errors.ts';
import { setModificationTime } from './modification-time.ts';

/** A file as it is, or is to be. */
export interface FileState {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970; absent where it may be the present time. */
  readonly mtime?: bigint;
}

/** As many as Linux follows. */
const MAX_LINKS = 40;
/** Of sources and configuration; more is no file for people. */
const MAX_BYTES = 1 << 20;
const MAX_ENTRIES = 10_000;
/** Where a file is written before it gets its name: APT reads no hidden files, and one run at a time writes. */
const NEW = '.debtorrent-setup.new';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** An open directory and the name of something in it, which is no symbolic link. */
interface Place {
  readonly directory: number;
  readonly name: string;
  /** Where it is, seen from the root. */
  readonly path: string;
}

type Passed = (directory: number) => unknown;

export class RootedFiles {
  /** As given, for messages. */
  readonly root: string;
  readonly #root: number;

  /** @throws DebtorrentError CONFIG_INVALID when `root` is no directory. */
  constructor(root: string) {
    this.root = root;
    try {
      this.#root = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      throw new DebtorrentError('CONFIG_INVALID', `--root: '${root}' is no directory (${codeOf(error)})`);
    }
  }

  /** `path` as people reach it from outside. */
  shown(path: string): string {
    return join(this.root, path);
  }

  /** Where `path` really is, seen from the root; undefined when a directory on the way is missing. */
  resolve(path: string): string | undefined {
    return this.#unlessMissing(path, (place) => place.path);
  }

  /** Undefined when there is none. @throws DebtorrentError SETUP_FAILED for what is no regular file, or too large. */
  read(path: string, maxBytes = MAX_BYTES): FileState | undefined {
    return this.#unlessMissing(path, ({ directory, name }) => {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
      const fd = openSync(at(directory, name), flags);
      try {
        const stat = fstatSync(fd, { bigint: true });
        if (!stat.isFile()) throw this.#failed('read', path, 'it is no regular file');
        if (stat.size > maxBytes) throw this.#failed('read', path, `it has more than ${maxBytes} bytes`);
        const bytes = readAll(fd, Number(stat.size));
        const [mode, uid, gid] = [Number(stat.mode) & 0o7777, Number(stat.uid), Number(stat.gid)];
        return { bytes, mode, uid, gid, mtime: stat.mtimeNs };
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Names in a directory, sorted; none when it is not there. */
  list(path: string): string[] {
    const names = this.#unlessMissing(`${path}/.`, ({ directory }) => readdirSync(at(directory, '.')));
    return (names ?? []).slice(0, MAX_ENTRIES).sort();
  }

  /** What is met on the way to `path`: each directory in which a name is looked up, and itself; nothing if it is missing. */
  onTheWay(path: string): readonly Stats[] {
    const met: Stats[] = [];
    const passed = (directory: number): unknown => met.push(fstatSync(directory));
    this.#unlessMissing(path, ({ directory, name }) => met.push(lstatSync(at(directory, name))), passed);
    return met;
  }

  isDirectory(path: string): boolean {
    return this.#unlessMissing(`${path}/.`, () => true) ?? false;
  }

  /** Who owns a directory and who may write there; undefined when it is not there. */
  directoryState(path: string): { readonly mode: number; readonly uid: number } | undefined {
    return this.#unlessMissing(`${path}/.`, ({ directory }) => {
      const { mode, uid } = fstatSync(directory);
      return { mode: mode & 0o7777, uid };
    });
  }

  /** The file is the old one or the new one at any moment, and on the disk when this returns. */
  write(path: string, state: FileState): void {
    this.#at(path, 'write', ({ directory, name }) => {
      const temporary = at(directory, NEW);
      removeFile(temporary);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const fd = openSync(temporary, flags, 0o600);
      try {
        for (let done = 0; done < state.bytes.length;) done += writeSync(fd, state.bytes, done);
        const { uid, gid } = fstatSync(fd);
        if (uid !== state.uid || gid !== state.gid) fchownSync(fd, state.uid, state.gid);
        fchmodSync(fd, state.mode);
        if (state.mtime !== undefined) setModificationTime(fd, state.mtime);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, at(directory, name));
      fsyncSync(directory);
    });
  }

  remove(path: string): void {
    this.#at(path, 'remove', ({ directory, name }) => {
      removeFile(at(directory, name));
      fsyncSync(directory);
    });
  }

  /** What a run that was killed may have left beside `path`; where nothing is, nothing need be writable. */
  removeLeftover(path: string): void {
    const left = this.#unlessMissing(path, ({ directory }) => lstatSync(at(directory, NEW), { throwIfNoEntry: false }));
    if (left) this.#at(path, 'write', ({ directory }) => removeFile(at(directory, NEW)));
  }

  rename(path: string, newName: string): void {
    this.#at(path, 'rename', ({ directory, name }) => {
      renameSync(at(directory, name), at(directory, newName));
      fsyncSync(directory);
    });
  }

  makeDirectory(path: string, mode: number): void {
    this.#at(path, 'make', ({ directory, name }) => {
      try {
        mkdirSync(at(directory, name), mode);
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return;
        throw error;
      }
      const fd = openSync(at(directory, name), DIRECTORY);
      fchmodSync(fd, mode); // whatever the umask says
      closeSync(fd);
      fsyncSync(directory);
    });
  }

  /** Leaves it when something is in it. */
  removeDirectory(path: string): void {
    this.#unlessMissing(path, ({ directory, name }) => {
      try {
        rmdirSync(at(directory, name));
      } catch (error) {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY'].includes(codeOf(error))) throw error;
      }
    });
  }

  /** Runs `work` with an open directory, such as for a lock on it. */
  openDirectory(path: string): number {
    return this.#at(`${path}/.`, 'open', ({ directory }) => openSync(at(directory, '.'), constants.O_RDONLY));
  }

  close(): void {
    closeSync(this.#root);
  }

  #unlessMissing<T>(path: string, work: (place: Place) => T, passed?: Passed): T | undefined {
    try {
      return this.#walk(path, work, passed);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error instanceof DebtorrentError ? error : this.#failed('read', path, code, error);
    }
  }

  #at<T>(path: string, verb: string, work: (place: Place) => T): T {
    try {
      return this.#walk(path, work);
    } catch (error) {
      throw error instanceof DebtorrentError ? error : this.#failed(verb, path, codeOf(error), error);
    }
  }

  #failed(verb: string, path: string, why: string, cause?: unknown): DebtorrentError {
    const message = `cannot ${verb} ${this.shown(path)}: ${why}`;
    return new DebtorrentError('SETUP_FAILED', message, { cause });
  }

  /**
   * A `path` that ends in `.` is a directory: the place is that directory, and the name is `.`. Told by `passed` is each
   * directory in which a name is looked up.
   */
  #walk<T>(path: string, work: (place: Place) => T, passed?: Passed): T {
    const steps: { fd: number; name: string }[] = [];
    const here = (): number => steps.at(-1)?.fd ?? this.#root;
    const up = (): void => {
      const step = steps.pop();
      if (step) closeSync(step.fd);
    };
    const parts = path.endsWith('/.') || path === '.' ? [...names(path), '.'] : names(path);
    try {
      for (let links = 0; ;) {
        const part = parts.shift() ?? '.';
        passed?.(here());
        if (part === '..') up();
        const stat = part === '..' ? undefined : lstatSync(at(here(), part), { throwIfNoEntry: false });
        if (stat?.isSymbolicLink()) {
          if (++links > MAX_LINKS) throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
          const target = readlinkSync(at(here(), part));
          if (target.startsWith('/')) while (steps.length > 0) up();
          parts.unshift(...names(target));
        } else if (parts.length === 0 && part !== '..') {
          const directory = here();
          return work({ directory, name: part, path: `/${[...steps.map(({ name }) => name), part].join('/')}` });
        } else if (part !== '..' && part !== '.') {
          steps.push({ fd: openSync(at(here(), part), DIRECTORY), name: part });
        }
      }
    } finally {
      while (steps.length > 0) up();
    }
  }
}

/** A name in an open directory, wherever that has been moved to meanwhile (Linux: openat by way of /proc). */
function at(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`;
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function readAll(fd: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let length = 0;
  for (let read = -1; read !== 0 && length < size; length += read)
    read = readSync(fd, bytes, length, size - length, null);
  return bytes.subarray(0, length);
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

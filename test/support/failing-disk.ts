/**
 * A disk with faults, for a daemon: loaded before the program in each of its threads, it has calls of node:fs on some paths
 * fail as a file system does. Which ones says a file that is looked at with each call, so that faults come and go.
 */
import fs, { fstatSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';

const VARIABLE = 'FAILING_DISK';

type Call = 'read' | 'fsync';

/** All whose path has this in it, or one, wherever it is moved to. */
type Files = { readonly path: string } | { readonly inode: number };

interface Faults {
  readonly calls: readonly Call[];
  readonly files: Files;
}

export class FailingDisk {
  readonly #file: string;

  /** @param file a path where nothing is */
  constructor(file: string) {
    this.#file = file;
  }

  /** What a daemon is to be started with. */
  get env(): NodeJS.ProcessEnv {
    return { NODE_OPTIONS: `--import=${fileURLToPath(import.meta.url)}`, [VARIABLE]: this.#file };
  }

  /** From now on these calls fail on these files. */
  fail(calls: readonly Call[], files: Files): void {
    writeFileSync(this.#file, JSON.stringify({ calls, files } satisfies Faults));
  }

  mend(): void {
    rmSync(this.#file, { force: true });
  }
}

let looking = false;

/** Throws EIO where the disk is to fail. */
function check(file: string, call: Call, fd: number): void {
  // to look is to read a file, too
  if (looking) return;
  looking = true;
  let isToFail: boolean;
  try {
    const { calls, files } = JSON.parse(readFileSync(file, 'utf8')) as Faults;
    const isMeant =
      'path' in files ? readlinkSync(`/proc/self/fd/${fd}`).includes(files.path) : fstatSync(fd).ino === files.inode;
    isToFail = isMeant && calls.includes(call);
  } catch {
    isToFail = false;
  } finally {
    looking = false;
  }
  if (isToFail) throw Object.assign(new Error(`EIO: i/o error, ${call}`), { code: 'EIO', errno: -5, syscall: call });
}

type Anything = (...args: unknown[]) => unknown;

function patch(file: string): void {
  const target = fs as unknown as Record<string, Anything>;
  const { readSync, read, fsync } = target as Record<'readSync' | 'read' | 'fsync', Anything>;
  const failing = (call: Call, real: Anything, isAsync: boolean): Anything => {
    const wrapped: Anything = (fd, ...rest) => {
      try {
        check(file, call, fd as number);
      } catch (error) {
        if (!isAsync) throw error;
        return void setImmediate(rest.at(-1) as Anything, error);
      }
      return real(fd, ...rest);
    };
    // promisify goes by what is on it
    return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(real));
  };
  target['readSync'] = failing('read', readSync, false);
  target['read'] = failing('read', read, true);
  target['fsync'] = failing('fsync', fsync, true);
  syncBuiltinESMExports();
}

const faults = process.env[VARIABLE];
if (faults !== undefined) patch(faults);

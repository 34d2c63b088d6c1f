/** `debtorrent seed`: takes packages that exist already into the cache, whether the daemon runs or not. */
import { accessSync, constants, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { createHashing } from '../../actors/hashing.ts';
import { CatalogueStore, type SavedCatalogue } from '../../actors/packages-parser/catalogue-store.ts';
import { layoutOf, type Layout } from '../../actors/store/layout.ts';
import { NOTE_FILES, writeNote } from '../../actors/store/seeded.ts';
import type { Config } from '../../config/schema.ts';
import { DebtorrentError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { Logger } from '../../core/logging.ts';
import { KnownContent } from './known-content.ts';
import { Progress } from './progress.ts';
import { Report } from './report.ts';
import { Room } from './room.ts';
import { removeLeftovers, takeIn, type Owner, type TakeInDeps } from './take-in.ts';
import { findCandidates, type Candidate } from './walk.ts';

/** Threads that hash; more than this only compete for the disk. */
const MAX_THREADS = 4;
/** The daemon may replace parts of the catalogue while they are read. */
const LOOKS = 5;

interface SeedOptions {
  readonly paths: readonly string[];
  readonly verbose: boolean;
}

/**
 * @returns the exit code: 0 when all that can be used is in the cache, 1 when nothing is or something is missing.
 * @throws DebtorrentError CONFIG_INVALID for a path that is not there, STORE_IO for a cache that cannot be used.
 */
export async function seed(
  config: Pick<Config, 'cacheDir' | 'cacheSize'>,
  { paths, verbose }: SeedOptions,
): Promise<number> {
  const found = findCandidates(paths);
  const layout = layoutOf(config.cacheDir);
  const owner = requireCache(layout);
  const { segments, archives } = await readCatalogue(layout);
  const indexes = archives.flatMap(({ indexes: all }) => all.flatMap(({ segment }) => segment?.file ?? []));
  const tables = [...new Set(indexes)].flatMap((file) => segments.get(file) ?? []);
  if (tables.length === 0) {
    throw new DebtorrentError('NOT_FOUND', `the cache in ${layout.root} knows no index; ${ASK_FIRST}`);
  }
  const report = new Report();
  for (const { path, reason } of found.refused) report.add(path, 0, { kind: 'refused', reason });
  const threads = Math.min(availableParallelism(), MAX_THREADS);
  const hashing = createHashing({ threads, maxQueue: 4 * threads });
  const uid = process.geteuid?.() ?? 0;
  const known = new KnownContent(
    tables,
    found.candidates.map(({ name }) => name),
  );
  const deps = { layout, owner, uid, known, hashing, room: new Room(layout, config.cacheSize) };
  removeLeftovers(layout);
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    await takeAll(deps, found.candidates, 2 * threads, report, ending.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    await hashing.close();
  }
  process.stdout.write(report.text(found.others, verbose));
  if (!ending.signal.aborted) return report.exitCode;
  process.stdout.write('interrupted: the rest was not looked at\n');
  return 1;
}

/** The first one lets the files at hand be finished, a second one ends the process. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const ASK_FIRST = 'let APT update through the daemon first, and name the cache with --cache-dir if it is another';

/** So many at a time: while one is hashed the next is linked or copied. */
async function takeAll(
  deps: TakeInDeps,
  candidates: readonly Candidate[],
  atOnce: number,
  report: Report,
  ending: AbortSignal,
): Promise<void> {
  const total = candidates.reduce((sum, { size }) => sum + size, 0);
  const progress = new Progress(process.stderr, { files: candidates.length, bytes: total }, Date.now);
  const notes = new Notes(deps);
  const queue = candidates.values();
  const work = async () => {
    for (const candidate of queue) {
      if (ending.aborted) return;
      const outcome = await takeIn(deps, candidate);
      if (outcome.kind === 'taken') notes.add(outcome.sha256, outcome.fingerprint);
      report.add(candidate.path, candidate.size, outcome);
      progress.step(candidate.size);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
  } finally {
    progress.end();
    notes.write();
  }
}

/** Tells the store what is there and verified. Without a note a file is found and hashed all the same. */
class Notes {
  readonly #deps: TakeInDeps;
  #files = new Map<Sha256, string>();
  #serial = 0;

  constructor(deps: TakeInDeps) {
    this.#deps = deps;
  }

  add(sha256: Sha256, fingerprint: string): void {
    this.#files.set(sha256, fingerprint);
    if (this.#files.size >= NOTE_FILES) this.write();
  }

  write(): void {
    const { layout, owner, uid } = this.#deps;
    if (this.#files.size === 0) return;
    const name = `${process.pid}-${Date.now()}-${this.#serial++}`;
    writeNote(layout, name, this.#files, uid === 0 && owner.uid !== 0 ? owner : undefined);
    this.#files = new Map();
  }
}

function requireCache({ root, partials, files }: Layout): Owner {
  try {
    const { uid, gid } = statSync(root);
    for (const directory of [root, partials, files])
      accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return { uid, gid };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const hint = code === 'ENOENT' ? ASK_FIRST : "run this as root or as the daemon's user";
    throw new DebtorrentError('STORE_IO', `the cache in ${root} cannot be used (${code}); ${hint}`);
  }
}

async function readCatalogue(layout: Layout): Promise<SavedCatalogue> {
  const store = new CatalogueStore(layout.catalogue, QUIET);
  for (let look = 0; look < LOOKS; look++) {
    const saved = await store.look();
    if (saved) return saved;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new DebtorrentError('STORE_IO', `the catalogue in ${layout.catalogue} is damaged; start the daemon to mend it`);
}

const nothing = () => undefined;
const QUIET: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

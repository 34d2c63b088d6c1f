/**
 * What URLs without a signed hash last led to, one small file each, replaced by rename. Lookups go to the page cache;
 * the set is small (Release files, and whatever is fetched that no index lists), and kept so: what was not used for
 * long goes, and what was used longest ago when there are too many.
 */
import { statSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as v from 'valibot';

import { parseSha256, type MirrorUrl } from '../../core/ids.ts';
import { replaceFile, UNFINISHED } from '../replace-file.ts';
import type { InOrder } from './in-order.ts';
import type { Layout } from './layout.ts';
import type { NameRecord } from './protocol.ts';

const recordSchema = v.object({
  url: v.string(),
  sha256: v.pipe(
    v.string(),
    v.check((text) => parseSha256(text) === text),
  ),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  etag: v.exactOptional(v.string()),
  lastModified: v.exactOptional(v.string()),
  contentType: v.exactOptional(v.string()),
  freshUntil: v.number(),
});

/** Milliseconds after its last use that a record is kept, and how many are kept at most. */
const KEEP_MS = 90 * 24 * 3_600_000;
const KEEP_RECORDS = 20_000;
/** It is looked for such records once a day, in milliseconds, and when so many were written. */
const PRUNE_MS = 24 * 3_600_000;
const PRUNE_WRITES = 2_000;
/** Records looked at in one go: about a millisecond. */
const BATCH = 100;

export class Names {
  readonly #layout: Layout;
  readonly #inOrder: InOrder;
  readonly #keepRecords: number;
  #prunedAt = Number.NEGATIVE_INFINITY;
  #written = 0;
  #pruning = false;

  constructor(layout: Layout, inOrder: InOrder, keepRecords = KEEP_RECORDS) {
    this.#keepRecords = keepRecords;
    this.#layout = layout;
    this.#inOrder = inOrder;
  }

  /** Removes what a killed daemon was writing. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.#layout.names)) {
      if (name.endsWith(UNFINISHED)) await rm(join(this.#layout.names, name), { force: true });
    }
  }

  /** The record of an URL; undefined when there is none or it cannot be understood. */
  async get(url: MirrorUrl): Promise<NameRecord | undefined> {
    const path = this.#layout.name(url);
    let text: string;
    try {
      text = await this.#inOrder.run(path, () => readFile(path, 'utf8'));
    } catch {
      return undefined;
    }
    try {
      const record = v.parse(recordSchema, JSON.parse(text));
      return record.url === url ? (record as NameRecord) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Writes the whole record or nothing; failures are the caller's to report. */
  put(record: NameRecord): Promise<void> {
    const path = this.#layout.name(record.url);
    this.#written++;
    return this.#inOrder.run(path, async () => {
      await mkdir(this.#layout.names, { recursive: true, mode: 0o700 });
      await replaceFile(path, JSON.stringify(record));
    });
  }

  drop(url: MirrorUrl): Promise<void> {
    const path = this.#layout.name(url);
    return this.#inOrder.run(path, () => rm(path, { force: true }));
  }

  /** Removes what is too old or one too many, if it is time to look; `date` in milliseconds since the epoch. */
  async prune(date: number): Promise<void> {
    const due = date - this.#prunedAt >= PRUNE_MS || this.#written >= PRUNE_WRITES;
    if (!due || this.#pruning) return;
    this.#prunedAt = date;
    this.#written = 0;
    this.#pruning = true;
    try {
      await this.#prune(date);
    } finally {
      this.#pruning = false;
    }
  }

  async #prune(date: number): Promise<void> {
    const paths = (await readdir(this.#layout.names)).filter((name) => name.endsWith('.json'));
    const records: { readonly path: string; readonly usedAt: number }[] = [];
    for (const [at, name] of paths.entries()) {
      if (at % BATCH === BATCH - 1) await new Promise(setImmediate);
      const path = join(this.#layout.names, name);
      const usedAt = usedAtOf(path);
      if (usedAt !== undefined) records.push({ path, usedAt });
    }
    records.sort((a, b) => b.usedAt - a.usedAt);
    const kept = records.findIndex(({ usedAt }) => usedAt < date - KEEP_MS);
    for (const { path, usedAt } of records.slice(Math.min(kept < 0 ? records.length : kept, this.#keepRecords))) {
      await this.#inOrder.run(path, async () => {
        // It may have been used meanwhile.
        if (usedAtOf(path) === usedAt) await rm(path, { force: true });
      });
    }
  }
}

/** The time of the last look or change, whichever the file system notes (relatime: to the day; noatime: changes only). */
function usedAtOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && Math.max(found.atimeMs, found.mtimeMs);
}

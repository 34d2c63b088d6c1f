/**
 * What URLs without a signed hash last led to, one small file each, replaced by rename. Lookups go to the page cache;
 * the set is small (Release files, and whatever is fetched that no index lists).
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';

import * as v from 'valibot';

import { parseSha256, type MirrorUrl } from '../../core/ids.ts';
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

export class Names {
  readonly #layout: Layout;
  #serial = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** The record of an URL; undefined when there is none or it cannot be understood. */
  async get(url: MirrorUrl): Promise<NameRecord | undefined> {
    let text: string;
    try {
      text = await readFile(this.#layout.name(url), 'utf8');
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
  async put(record: NameRecord): Promise<void> {
    const path = this.#layout.name(record.url);
    const temporary = `${path}.${this.#serial++}.tmp`;
    await mkdir(this.#layout.names, { recursive: true, mode: 0o700 });
    await writeFile(temporary, JSON.stringify(record), { flag: 'w', mode: 0o600 });
    await rename(temporary, path);
  }

  async drop(url: MirrorUrl): Promise<void> {
    await rm(this.#layout.name(url), { force: true });
  }
}

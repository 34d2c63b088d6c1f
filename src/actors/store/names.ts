/**
 * What URLs without a signed hash last led to, one small file each, replaced by rename. Lookups go to the page cache;
 * the set is small (Release files, and whatever is fetched that no index lists).
 */
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as v from 'valibot';

import { parseSha256, type MirrorUrl } from '../../core/ids.ts';
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

export class Names {
  readonly #layout: Layout;
  readonly #inOrder: InOrder;

  constructor(layout: Layout, inOrder: InOrder) {
    this.#layout = layout;
    this.#inOrder = inOrder;
  }

  /** Removes what a killed daemon was writing. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.#layout.names)) {
      if (name.endsWith('.tmp')) await rm(join(this.#layout.names, name), { force: true });
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
    return this.#inOrder.run(path, async () => {
      await mkdir(this.#layout.names, { recursive: true, mode: 0o700 });
      await writeFile(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    });
  }

  drop(url: MirrorUrl): Promise<void> {
    const path = this.#layout.name(url);
    return this.#inOrder.run(path, () => rm(path, { force: true }));
  }
}

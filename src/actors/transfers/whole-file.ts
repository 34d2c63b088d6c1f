/** Descriptions of finished files, by where what is known of them comes from. */
import type { NameRecord, StoredFile } from '../store/protocol.ts';
import type { FileHead, WholeFile } from './protocol.ts';

/** A file that is known by its hash: it means the same for good. */
export function fromStore(file: StoredFile): WholeFile {
  return {
    kind: 'file',
    size: file.size,
    sha256: file.sha256,
    lastModified: file.lastModified,
    etag: undefined,
    contentType: undefined,
    path: file.path,
    finalPath: file.path,
    source: 'cache',
    stale: false,
    freshUntil: Number.POSITIVE_INFINITY,
  };
}

/** A file that is known by name: its headers are what the mirror said of that name. */
export function fromName(file: StoredFile, record: NameRecord): WholeFile {
  const { etag, lastModified, contentType, freshUntil } = record;
  return { ...fromStore(file), etag, lastModified, contentType, freshUntil };
}

/** A file that has arrived and is right: its headers are what sources said of it. */
export function fromSources(
  head: FileHead,
  found: Pick<WholeFile, 'size' | 'sha256' | 'path' | 'finalPath' | 'source' | 'freshUntil'>,
): WholeFile {
  return { kind: 'file', ...head, ...found, stale: false };
}

export function nameRecord(url: NameRecord['url'], file: WholeFile): NameRecord {
  const { sha256, size, freshUntil, etag, lastModified, contentType } = file;
  return {
    url,
    sha256,
    size,
    freshUntil,
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { lastModified }),
    ...(contentType !== undefined && { contentType }),
  };
}

/**
 * The segment of a Release: each file that it lists under its plain name and under the by-hash names that clients may
 * ask for, `DIR/by-hash/ALGORITHM/HASH` (Debian wiki, RepositoryFormat, Acquire-By-Hash).
 */
import type { Release, ReleaseFile } from './release.ts';
import type { HashAlgorithm } from './location.ts';
import { SegmentBuilder } from './segment-builder.ts';
import type { Segment } from './segment.ts';

/** Bounds the segment for absurd Releases; the largest in Debian list some thousand files. */
const MAX_NAMES = 1_500_000;

/** Plain names come first, so that looking up a SHA-256 gives a plain name. */
export function buildReleaseSegment(release: Release): Segment {
  const builder = new SegmentBuilder(Math.min(release.files.size * 3, MAX_NAMES));
  for (const [path, file] of release.files) add(builder, path, file);
  for (const algorithm of ['SHA256', 'MD5Sum', 'SHA1', 'SHA512'] as const) {
    for (const [path, file] of release.files) {
      const hash = hashOf(file, algorithm);
      if (hash === undefined || builder.count >= MAX_NAMES) continue;
      add(builder, `${path.slice(0, path.lastIndexOf('/') + 1)}by-hash/${algorithm}/${hash}`, file);
    }
  }
  return builder.finish();
}

function hashOf(file: ReleaseFile, algorithm: HashAlgorithm): string | undefined {
  if (algorithm === 'SHA256') return file.sha256;
  if (algorithm === 'MD5Sum') return file.md5;
  return algorithm === 'SHA1' ? file.sha1 : file.sha512;
}

function add(builder: SegmentBuilder, path: string, file: ReleaseFile): void {
  const bytes = Buffer.from(path, 'utf8');
  builder.add(bytes, 0, bytes.length, file.size, Buffer.from(file.sha256, 'hex'));
}

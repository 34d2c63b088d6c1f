/**
 * What a URL is within an archive, by its shape alone: `ROOT/dists/SUITE(/…)/InRelease` and the flat layout
 * `ROOT/(dir/)InRelease` (Debian wiki, RepositoryFormat). Suites may contain slashes.
 */
import type { MirrorUrl } from '../ids.ts';
import { parseIndexName } from './index-name.ts';
import { directoryUrl, splitMirrorUrl, type MirrorPath } from './mirror-path.ts';

export type ReleaseName = 'InRelease' | 'Release' | 'Release.gpg';
export type HashAlgorithm = 'MD5Sum' | 'SHA1' | 'SHA256' | 'SHA512';
export type ArchiveLayout = 'dists' | 'flat';

export type Location =
  | {
      readonly kind: 'release';
      /** Without a slash at its end; in the flat layout the same as releaseDir, for want of knowing better. */
      readonly root: MirrorUrl;
      readonly releaseDir: MirrorUrl;
      readonly layout: ArchiveLayout;
      readonly name: ReleaseName;
    }
  | {
      readonly kind: 'by-hash';
      /** Absent in the flat layout. */
      readonly root?: MirrorUrl;
      /** The directory that holds by-hash/. Which Release it belongs to only the catalogue knows. */
      readonly dir: MirrorUrl;
      readonly algorithm: HashAlgorithm;
      /** Lower-case hexadecimal. */
      readonly hash: string;
    }
  /** Other metadata under ROOT/dists/. */
  | { readonly kind: 'dists'; readonly root: MirrorUrl; readonly path: string }
  | { readonly kind: 'other' };

export const HASH_DIGITS: Readonly<Record<HashAlgorithm, number>> = { MD5Sum: 32, SHA1: 40, SHA256: 64, SHA512: 128 };

/** Metadata of flat repositories, which have no dists/ to be known by. */
const METADATA_NAME = /\/(?:Packages|Sources|Contents|Translation|Index|InRelease|Release)[^/]*$/;
const OTHER: Location = { kind: 'other' };
/** Directories of a dists tree that have a Release file of their own, which nobody signs. */
const UNSIGNED_RELEASE = /^(binary-[a-z0-9-]+|source|i18n|Contents-.*)$/;

export function locate(url: MirrorUrl): Location {
  const path = splitMirrorUrl(url);
  if (!path) return OTHER;
  const { segments } = path;
  const dists = segments.lastIndexOf('dists');
  const name = segments.at(-1);
  if (segments.at(-3) === 'by-hash') {
    const byHash = locateByHash(path, dists);
    if (byHash) return byHash;
  }
  if (name === 'InRelease' || name === 'Release' || name === 'Release.gpg') {
    const release = locateRelease(path, dists, name);
    if (release) return release;
  }
  if (dists < 0 || dists + 1 >= segments.length || url.endsWith('/')) return OTHER;
  return { kind: 'dists', root: directoryUrl(path, dists), path: segments.slice(dists + 1).join('/') };
}

/** Metadata, by whatever name. */
export function isMetadata(url: MirrorUrl, { kind }: Location): boolean {
  return kind !== 'other' || METADATA_NAME.test(url);
}

/** Metadata by its name, which stands for another file after the next update. */
export function isReplaced(url: MirrorUrl, location = locate(url)): boolean {
  return location.kind !== 'by-hash' && isMetadata(url, location);
}

/** By its shape, which is all there is to go by before the Release is known. */
export function isMaybeIndex(url: MirrorUrl): boolean {
  return locate(url).kind === 'by-hash' || parseIndexName(url) !== undefined;
}

function locateByHash(path: MirrorPath, dists: number): Location | undefined {
  const algorithm = path.segments.at(-2) as HashAlgorithm;
  const hash = (path.segments.at(-1) as string).toLowerCase();
  if (!Object.hasOwn(HASH_DIGITS, algorithm)) return undefined;
  if (hash.length !== HASH_DIGITS[algorithm] || !/^[0-9a-f]+$/.test(hash)) return undefined;
  const dir = directoryUrl(path, path.segments.length - 3);
  const inDists = dists >= 0 && dists < path.segments.length - 3;
  return { kind: 'by-hash', ...(inDists && { root: directoryUrl(path, dists) }), dir, algorithm, hash };
}

function locateRelease(path: MirrorPath, dists: number, name: ReleaseName): Location | undefined {
  const last = path.segments.length - 1;
  const releaseDir = directoryUrl(path, last);
  if (dists < 0) return { kind: 'release', root: releaseDir, releaseDir, layout: 'flat', name };
  // ROOT/dists/InRelease has no suite; ROOT/dists/SUITE/main/binary-amd64/Release is a stub without a signature
  if (dists + 1 >= last || UNSIGNED_RELEASE.test(path.segments[last - 1] as string)) return undefined;
  return { kind: 'release', root: directoryUrl(path, dists), releaseDir, layout: 'dists', name };
}

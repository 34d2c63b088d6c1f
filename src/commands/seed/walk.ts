/** Finds the files that are to be taken: those that are named, and what looks like a package in named directories. */
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';

import { DebtorrentError } from '../../core/errors.ts';

export interface Candidate {
  readonly path: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface Found {
  readonly candidates: readonly Candidate[];
  /** What is in the trees and leads out of them, or cannot be looked at. */
  readonly refused: readonly { readonly path: string; readonly reason: 'symlink' | 'not readable' }[];
  /** Files whose names are not those of packages. */
  readonly others: number;
}

/** Names in pools and in APT's archive cache; what is only being fetched is not among them. */
const PACKAGE = /\.(?:u?deb|dsc|asc|diff\.gz|tar\.(?:gz|xz|bz2|zst|lzma))$/;
/** Levels below a named directory; pools have four. */
const MAX_DEPTH = 64;

/**
 * Names that are given may be symbolic links; below them none is followed. One that leads to another place within
 * the trees is nothing to report: that place is visited anyway.
 * @throws DebtorrentError CONFIG_INVALID for a path that is not there.
 */
export function findCandidates(paths: readonly string[]): Found {
  const roots = paths.map((path) => {
    try {
      return realpathSync(path);
    } catch (error) {
      throw new DebtorrentError('CONFIG_INVALID', `seed: '${path}' cannot be read (${code(error)})`);
    }
  });
  const candidates = new Map<string, Candidate>();
  const refused: { path: string; reason: 'symlink' | 'not readable' }[] = [];
  let others = 0;

  function visit(path: string, name: string, depth: number): void {
    try {
      const found = lstatSync(path);
      if (found.isSymbolicLink()) {
        if (!leadsInside(path, roots)) refused.push({ path, reason: 'symlink' });
      } else if (found.isDirectory()) {
        if (depth > MAX_DEPTH) return;
        for (const child of readdirSync(path).sort()) visit(join(path, child), child, depth + 1);
      } else if (found.isFile() && (depth === 0 || PACKAGE.test(name))) {
        candidates.set(path, { path, name, size: found.size });
      } else others++;
    } catch {
      refused.push({ path, reason: 'not readable' });
    }
  }

  for (const root of roots) visit(root, root.slice(root.lastIndexOf(sep) + 1), 0);
  return { candidates: [...candidates.values()], refused, others };
}

function leadsInside(link: string, roots: readonly string[]): boolean {
  try {
    const target = realpathSync(link);
    return roots.some((root) => target === root || target.startsWith(root.endsWith(sep) ? root : root + sep));
  } catch {
    return false;
  }
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

/**
 * Priorities that go by the host APT fetches from: `Pin: origin` in apt_preferences(5). For a source of the daemon's
 * that host is the daemon's.
 */
import { DebtorrentError } from '../../core/errors.ts';
import type { AptPaths } from './apt-paths.ts';
import type { RootedFiles } from './rooted-files.ts';

export interface OriginPin {
  /** The file of preferences. */
  readonly path: string;
  readonly pattern: string;
}

const COMMENTS = /^#.*\n?/gm;
const CONTINUED = /\r?\n[ \t]+/g;
const PIN = /^pin[ \t]*:[ \t]*origin[ \t]+(\S.*?)[ \t]*$/gim;

/** An empty name stands for files of this machine, which are left alone in any case. */
export function originPins(files: RootedFiles, paths: AptPaths): OriginPin[] {
  const parts = files.list(paths.preferenceParts).filter((name) => /^[\w:-](?:[\w.:-]*\.pref|[\w:-]*)$/.test(name));
  return [paths.preferences, ...parts.map((name) => `${paths.preferenceParts}/${name}`)].flatMap((path) =>
    [...textOf(files, path).replaceAll(COMMENTS, '').replaceAll(CONTINUED, ' ').matchAll(PIN)]
      .map(([, name = '']) => ({ path, pattern: name.replace(/^"(.*)"$/, '$1') }))
      .filter(({ pattern }) => pattern !== ''),
  );
}

/** What is no regular file, such as a directory or /dev/null, has no pins for APT either. */
function textOf(files: RootedFiles, path: string): string {
  try {
    return files.read(path)?.bytes.toString('latin1') ?? '';
  } catch (error) {
    if (error instanceof DebtorrentError) return '';
    throw error;
  }
}

/** The first pin that one host has and the other has not. */
export function pinThatDiffers(pins: readonly OriginPin[], one: string, other: string): OriginPin | undefined {
  if (one === other) return undefined;
  return pins.find(({ pattern }) => {
    const expression = expressionOf(pattern);
    return expression === undefined || expression.test(one) !== expression.test(other);
  });
}

/** A name, a glob, or a regular expression between slashes; undefined for what only the C library understands. */
function expressionOf(pattern: string): RegExp | undefined {
  if (/\[[:.=]/.test(pattern)) return undefined;
  const regular = /^\/(.*)\/$/.exec(pattern)?.[1];
  try {
    return new RegExp(regular ?? `^(?:${pattern.replaceAll(GLOB, globPart)})$`, 'i');
  } catch {
    return undefined;
  }
}

const GLOB = /\\(.)|\[([!^]?)(\]?[^\]]*)\]|[^]/g;

function globPart(part: string, escaped?: string, not?: string, set?: string): string {
  if (set !== undefined) return `[${not === '' ? '' : '^'}${set.replaceAll(/[\\\]^[]/g, String.raw`\$&`)}]`;
  if (part === '*') return '.*';
  if (part === '?') return '.';
  return (escaped ?? part).replace(/[^\w]/, String.raw`\$&`);
}

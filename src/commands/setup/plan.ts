/** What is to be changed, found out before anything is: from the files as they are, and what an earlier run noted. */
import { sha256, type Entry, type Journal, type Role } from './journal.ts';
import { isSetups, type InstalledFile } from './installed-files.ts';
import { debtorrentLines, rewriteSources, turnBackSources, type Left } from './rewrite.ts';
import type { FileState } from './rooted-files.ts';
import type { RewriteRules } from './source-uri.ts';

export interface Change {
  readonly path: string;
  readonly role: Role;
  /** Undefined: there is no file. */
  readonly before: FileState | undefined;
  readonly after: FileState | undefined;
  /** The file is kept under this name, in the same directory. */
  readonly keptAs?: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  /** What the journal says of the files while they are changed, and what it says then. */
  readonly during: readonly Entry[];
  readonly after: readonly Entry[];
  readonly left: readonly (Left & { readonly path: string })[];
  /** What people should know: whole sentences without a full stop. */
  readonly notes: readonly string[];
}

export interface Snapshot {
  read(path: string): FileState | undefined;
}

export interface Wanted {
  /** Files that APT reads sources from. */
  readonly sources: readonly string[];
  readonly installs: readonly InstalledFile[];
  /** Undefined: sources name archives themselves. */
  readonly rules: RewriteRules | undefined;
  /** Who owns what is installed. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

class Draft {
  readonly changes: Change[] = [];
  readonly during: Entry[] = [];
  readonly after: Entry[] = [];
  readonly left: (Left & { path: string })[] = [];
  readonly notes: string[] = [];

  change(change: Change): void {
    const { before, after, keptAs } = change;
    if (keptAs === undefined && sameFile(before, after)) return;
    this.changes.push(change);
  }
}

export function planSetup(files: Snapshot, journal: Journal, wanted: Wanted): Plan {
  const draft = new Draft();
  const entries = new Map(journal.entries.map((entry) => [entry.path, entry]));
  for (const install of wanted.installs) planInstall(draft, files, entries.get(install.path), install, wanted.owner);
  const keeps = wanted.installs.some(({ role }) => role === 'method');
  const moved = movedBack(journal, !keeps && methodGoes(files, journal));
  for (const path of wanted.sources) {
    const [current, entry] = [files.read(path), entries.get(path)];
    if (!current) continue;
    const base = entry ? beforeSetup(entry, current) : moved(current);
    planSource(draft, current, base, path, entry, wanted.rules);
  }
  const handled = new Set([...wanted.sources, ...wanted.installs.map(({ path }) => path)]);
  for (const entry of journal.entries.filter(({ path }) => !handled.has(path))) planBack(draft, files, entry);
  return ordered(draft);
}

/**
 * @param sources those that APT reads now: what setup wrote may have been moved from one file to another.
 * @param all turns back also addresses that the journal knows nothing of.
 */
export function planUndo(
  files: Snapshot,
  journal: Journal,
  sources: readonly string[],
  all = methodGoes(files, journal),
): Plan {
  const draft = new Draft();
  for (const entry of journal.entries) planBack(draft, files, entry);
  const known = new Set(journal.entries.map(({ path }) => path));
  const moved = movedBack(journal, all);
  for (const path of sources.filter((each) => !known.has(each))) {
    const before = files.read(path);
    if (!before) continue;
    const after = moved(before);
    draft.change({ path, role: 'sources', before, after });
    const lines = debtorrentLines(path, after.bytes);
    if (lines.length > 0) draft.notes.push(`${path}, line ${lines.join(', ')}: not from setup, so left at the daemon`);
  }
  return ordered(draft);
}

/**
 * A file that the journal does not know without what setup wrote elsewhere: lines may have been moved to it since.
 * @param all also what setup knows nothing of: it would name a method that is not there any more.
 */
function movedBack({ entries }: Journal, all: boolean): (current: FileState) => FileState {
  const pairs = entries.flatMap((entry) => entry.pairs);
  return (current) => edited(current, turnBackSources(current.bytes, pairs, all));
}

/** Once setup is taken back there is no method: the one that is there is setup's. */
function methodGoes(files: Snapshot, { entries }: Journal): boolean {
  return entries.some(({ role, path, written }) => {
    if (role !== 'method') return false;
    const now = files.read(path);
    return !now || written.includes(sha256(now.bytes));
  });
}

function planSource(
  draft: Draft,
  current: FileState,
  base: FileState,
  path: string,
  entry: Entry | undefined,
  rules: RewriteRules | undefined,
): void {
  const rewritten = rules && rewriteSources(path, base.bytes, rules);
  draft.left.push(...(rewritten?.left ?? []).map((each) => ({ ...each, path })));
  if (!rewritten || rewritten.bytes.equals(base.bytes)) {
    draft.change({ path, role: 'sources', before: current, after: base });
    if (entry) draft.during.push(entry);
    return;
  }
  const after = edited(current, rewritten.bytes);
  draft.change({ path, role: 'sources', before: current, after });
  note(draft, { path, role: 'sources', original: base, written: [sha256(after.bytes)], pairs: rewritten.pairs }, entry);
}

function planInstall(
  draft: Draft,
  files: Snapshot,
  entry: Entry | undefined,
  install: InstalledFile,
  owner: Wanted['owner'],
): void {
  const { path, role, bytes, mode } = install;
  const before = files.read(path);
  const own = before && (isSetups(before.bytes) || entry?.written.includes(sha256(before.bytes)));
  const foreign = before && !own;
  if (foreign && role === 'method') {
    draft.notes.push(`${path} is there already and not from setup: it is left as it is`);
    return;
  }
  const touched = own && entry && !entry.written.includes(sha256(before.bytes));
  if (touched && !bytes.equals(before.bytes)) {
    draft.notes.push(`${path} has been edited since setup wrote it: it is left as it is`);
    draft.during.push(entry);
    draft.after.push(entry);
    return;
  }
  const original = entry ? entry.original : foreign ? before : undefined;
  const after = { bytes, mode, ...owner };
  draft.change({ path, role, before, after });
  note(draft, { path, role, original, written: [sha256(bytes)], pairs: [] }, entry);
}

/** While files change the journal knows what an earlier run wrote, too. */
function note(draft: Draft, entry: Entry, earlier: Entry | undefined): void {
  const written = [...new Set([...(earlier?.written ?? []), ...entry.written])];
  draft.during.push({ ...entry, written, pairs: [...entry.pairs, ...(earlier?.pairs ?? [])] });
  draft.after.push(entry);
}

/** Takes back what an entry says. */
function planBack(draft: Draft, files: Snapshot, entry: Entry): void {
  const { path, role, original, written } = entry;
  draft.during.push(entry);
  const before = files.read(path);
  if (!before) {
    if (original) draft.notes.push(`${path} has been removed since setup changed it: it stays so`);
    return;
  }
  if (role === 'sources') {
    const after = beforeSetup(entry, before);
    if (!written.includes(sha256(before.bytes)) && !after.bytes.equals(before.bytes)) {
      draft.notes.push(`${path} has been edited since: its addresses are turned back, the rest stays`);
    }
    draft.change({ path, role, before, after });
  } else if (written.includes(sha256(before.bytes))) draft.change({ path, role, before, after: original });
  else if (original && before.bytes.equals(original.bytes)) return;
  else if (role === 'configuration') {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const keptAs = freeName(files, path, name);
    draft.notes.push(`${path} has been edited since: it is kept as ${keptAs}, which APT does not read`);
    draft.change({ path, role, before, after: undefined, keptAs });
  } else draft.notes.push(`${path} is not as setup wrote it: it is left as it is`);
}

/** A name that APT ignores without a word (Dir::Ignore-Files-Silently). */
function freeName(files: Snapshot, path: string, name: string): string {
  for (let number = 0; ; number++) {
    const free = number === 0 ? '.save' : `.${number}.save`;
    if (!files.read(path + free)) return name + free;
  }
}

/** The file without what setup did to it: exactly as it was, or with the addresses turned back in what it became. */
function beforeSetup({ original, written, pairs }: Entry, current: FileState): FileState {
  const { mode, uid, gid } = current; // setup kept them: when they differ, somebody meant it
  if (original && written.includes(sha256(current.bytes))) return { ...original, mode, uid, gid };
  if (original && current.bytes.equals(original.bytes)) return current;
  return edited(current, turnBackSources(current.bytes, pairs, true));
}

function edited(state: FileState, bytes: Buffer): FileState {
  const { mode, uid, gid } = state;
  return bytes.equals(state.bytes) ? state : { bytes, mode, uid, gid };
}

function sameFile(one: FileState | undefined, other: FileState | undefined): boolean {
  if (!one || !other) return one === other;
  return one.bytes.equals(other.bytes) && one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

/**
 * Sources never name a method that is not there, and the configuration no helper: what is installed comes first and
 * goes last.
 */
function ordered({ changes, ...rest }: Draft): Plan {
  const rank = ({ role, after }: Change): number => {
    const place = { method: 0, helper: 0, configuration: 1, sources: 2 }[role];
    return after ? place : 4 - place;
  };
  return { ...rest, changes: changes.toSorted((a, b) => rank(a) - rank(b)) };
}

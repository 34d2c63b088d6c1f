/** Undo where the journal is gone: what is recognisably setup's goes, and addresses are turned back by their form. */
import { dirname } from 'node:path';
import type { AptPaths } from './apt-paths.ts';
import { HELPER, isSetups, namesSources, placesOf } from './installed-files.ts';
import { sha256, type Entry, type Journal } from './journal.ts';
import { planUndo, type Plan, type Snapshot } from './plan.ts';

/** @param shown the journal's path for people */
export function planWithoutJournal(
  files: Snapshot,
  paths: AptPaths,
  sources: readonly string[],
  shown: string,
): { readonly journal: Journal; readonly plan: Plan } {
  const entries: Entry[] = [];
  let wroteSources = false;
  for (const { path, role } of placesOf(paths)) {
    const bytes = files.read(path)?.bytes;
    // APT can fetch nothing by addresses whose method is not there
    if (role === 'method' && (!bytes || isSetups(bytes))) wroteSources = true;
    if (!bytes || !isSetups(bytes)) continue;
    if (role === 'configuration' && namesSources(bytes)) wroteSources = true;
    entries.push({ path, role, original: undefined, written: [sha256(bytes)], pairs: [] });
  }
  const helper = entries.some(({ role }) => role === 'helper');
  const journal = { entries, directories: helper ? [dirname(HELPER)] : [] };
  const plan = planUndo(files, journal, sources, wroteSources);
  if (plan.changes.length === 0) return { journal, plan };
  const note = `${shown} is gone, which said what setup changed: what is recognisably from setup is taken back`;
  return { journal, plan: { ...plan, notes: [...plan.notes, note] } };
}

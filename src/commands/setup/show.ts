/** A plan as people read it: a unified diff, what is left alone and why, and what else there is to know. Pure. */
import { createTwoFilesPatch } from 'diff';
import type { Change, Plan } from './plan.ts';
import type { FileState } from './rooted-files.ts';

const CONTEXT_LINES = 3;
const NO_FILE = '/dev/null';

/** Bytes, since sources may be in any encoding; with `forTerminal` nothing in them steers it. */
export function showPlan({ changes, left, notes }: Plan, root: string, forTerminal: boolean): Buffer {
  const at = (path: string): string => (root === '/' ? path : `${root}${path}`);
  const parts = [
    ...changes.map((change) => showChange(change, at(change.path))),
    ...(left.length === 0 ? [] : ['left as they are:\n']),
    ...left.map(({ path, line, uri, why }) => `  ${at(path)}, line ${line}: ${uri}: ${why}\n`),
    ...notes.map(noteLine),
  ];
  return shown(parts, forTerminal);
}

export function showNotes(notes: readonly string[], forTerminal: boolean): Buffer {
  return shown(notes.map(noteLine), forTerminal);
}

function noteLine(note: string): string {
  return `note: ${note}\n`;
}

function shown(parts: readonly string[], forTerminal: boolean): Buffer {
  const bytes = Buffer.from(parts.join(''), 'latin1');
  return forTerminal ? Buffer.from(bytes.toString('utf8').replaceAll(STEERING, '?')) : bytes;
}

const STEERING = /(?!\n|\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function showChange({ before, after, keptAs }: Change, path: string): string {
  if (keptAs !== undefined) return '';
  const [old, fresh] = [before ? path : NO_FILE, after ? path : NO_FILE];
  const patch = createTwoFilesPatch(old, fresh, textOf(before), textOf(after), undefined, undefined, {
    context: CONTEXT_LINES,
  });
  return patch.replace(/^(?:Index: .*\n)?=+\n/, '');
}

function textOf(state: FileState | undefined): string {
  return state?.bytes.toString('latin1') ?? '';
}

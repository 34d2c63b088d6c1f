/**
 * Packages.diff: ed scripts from each earlier state of an index to the next, and the Index that lists them
 * (the format that dak writes and APT's rred applies).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256 } from './random.ts';

export interface Patch {
  /** Such as T-2026-01-01-0000.00-F-2026-01-01-0000.00, without .gz. */
  readonly name: string;
  /** The whole index before this patch. */
  readonly before: { readonly sha256: string; readonly size: number };
  readonly script: Buffer;
  readonly compressed: Buffer;
}

/** The ed script that turns `before` into `after`, through diff(1). */
export function makePatch(name: string, before: string, after: string): Patch {
  const directory = mkdtempSync(join(tmpdir(), 'dt-diff-'));
  try {
    writeFileSync(join(directory, 'a'), before);
    writeFileSync(join(directory, 'b'), after);
    const { stdout } = spawnSync('diff', ['--ed', 'a', 'b'], { cwd: directory });
    return {
      name,
      before: { sha256: sha256(before), size: Buffer.byteLength(before) },
      script: stdout,
      compressed: gzipSync(stdout),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The Index file for an index that is now `current`, reached from older states by `patches` in order. */
export function patchIndex(current: string, patches: readonly Patch[]): string {
  const lines = (each: (patch: Patch) => string): string => patches.map((patch) => ` ${each(patch)}\n`).join('');
  return (
    `SHA256-Current: ${sha256(current)} ${Buffer.byteLength(current)}\n` +
    `SHA256-History:\n${lines(({ before, name }) => `${before.sha256} ${before.size} ${name}`)}` +
    `SHA256-Patches:\n${lines(({ script, name }) => `${sha256(script)} ${script.length} ${name}`)}` +
    `SHA256-Download:\n${lines(({ compressed, name }) => `${sha256(compressed)} ${compressed.length} ${name}.gz`)}`
  );
}

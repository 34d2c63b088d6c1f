/** What became of the files, counted, with the names of those that could not be used. Pure. */
import { bytes, printable } from '../../core/text.ts';
import type { Outcome, Refusal } from './take-in.ts';

/** Names of each reason that are shown, unless all are asked for. */
const SHOWN = 20;

/** Files that may well be right and could not be taken all the same. */
const TRY_AGAIN: ReadonlySet<Refusal> = new Set(['no room', 'changed meanwhile', 'not readable']);

export class Report {
  readonly #taken = { linked: 0, copied: 0, bytes: 0 };
  #there = 0;
  readonly #refused = new Map<Refusal, string[]>();

  add(path: string, size: number, outcome: Outcome): void {
    if (outcome.kind === 'there') this.#there++;
    else if (outcome.kind === 'taken') {
      this.#taken[outcome.how]++;
      this.#taken.bytes += size;
    } else {
      const paths = this.#refused.get(outcome.reason) ?? [];
      paths.push(path);
      this.#refused.set(outcome.reason, paths);
    }
  }

  /** 0 when all that can be used is in the cache now; 1 when nothing is, or something could not be brought there. */
  get exitCode(): 0 | 1 {
    const { linked, copied } = this.#taken;
    if (linked + copied + this.#there === 0) return 1;
    return [...this.#refused.keys()].some((reason) => TRY_AGAIN.has(reason)) ? 1 : 0;
  }

  /** `others` files had names that packages have not, and were left alone. */
  text(others: number, verbose: boolean): string {
    const { linked, copied } = this.#taken;
    const lines = [
      `took ${files(linked + copied)} (${linked} linked, ${copied} copied), ${bytes(this.#taken.bytes)}`,
      `${files(this.#there)} ${this.#there === 1 ? 'was' : 'were'} there already`,
    ];
    const left = [...this.#refused].sort((a, b) => b[1].length - a[1].length);
    const count = left.reduce((sum, [, paths]) => sum + paths.length, 0);
    if (count > 0) lines.push(`${files(count)} could not be used:`);
    for (const [reason, paths] of left) {
      lines.push(`  ${reason}: ${files(paths.length)}`);
      const shown = verbose ? paths : paths.slice(0, SHOWN);
      lines.push(...shown.map((path) => `    ${printable(path)}`));
      if (shown.length < paths.length) lines.push(`    and ${paths.length - shown.length} more (--verbose names all)`);
    }
    if (others > 0) lines.push(`${files(others)} of other kinds left alone`);
    return `${lines.join('\n')}\n`;
  }
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

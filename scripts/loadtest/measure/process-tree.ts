/** What a tree of processes costs, from /proc (proc(5)). */
import { readFileSync, readdirSync } from 'node:fs';

export interface Cost {
  /** Resident bytes of all processes; pages that they share count for each. */
  readonly resident: number;
  /** Resident bytes, shared pages divided among those who share them; undefined where the kernel does not say. */
  readonly proportional: number | undefined;
  /** Processor seconds since their start, those of ended and awaited children included, by the root of the tree. */
  readonly cpuSeconds: ReadonlyMap<number, number>;
  readonly processes: number;
}

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  readonly residentPages: number;
}

const PAGE_BYTES = 4096;
const TICKS_A_SECOND = 100;

/** Processes that are gone cost nothing. */
export function costOf(roots: readonly number[], proc = '/proc'): Cost {
  const all = readAll(proc);
  const tree = treeOf(roots, all);
  let proportional: number | undefined = 0;
  for (const { pid } of tree) {
    const pss = /^Pss:\s+(\d+) kB/m.exec(read(`${proc}/${pid}/smaps_rollup`))?.[1];
    if (pss !== undefined && proportional !== undefined) proportional += Number(pss) * 1024;
    else if (read(`${proc}/${pid}/stat`) !== '') proportional = undefined;
  }
  return {
    resident: tree.reduce((sum, { residentPages }) => sum + residentPages * PAGE_BYTES, 0),
    proportional,
    cpuSeconds: new Map(
      roots.map((root) => [root, treeOf([root], all).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_A_SECOND]),
    ),
    processes: tree.length,
  };
}

/** Processor seconds of a target whose processes come and go: what one had used when it was last seen stays counted. */
export class ProcessorTime {
  readonly #byRoot = new Map<number, number>();

  /** Seconds of all that have been seen. */
  seen({ cpuSeconds }: Cost): number {
    for (const [root, seconds] of cpuSeconds) {
      this.#byRoot.set(root, Math.max(seconds, this.#byRoot.get(root) ?? 0));
    }
    return [...this.#byRoot.values()].reduce((sum, seconds) => sum + seconds, 0);
  }
}

/** Processor seconds of this process and of its children that have ended. */
export function ownCpuSeconds(): number {
  return (entryOf('/proc', 'self')?.ticks ?? 0) / TICKS_A_SECOND;
}

function treeOf(roots: readonly number[], all: readonly Entry[]): Entry[] {
  const known = new Set(roots);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of all) {
      if (known.has(pid) || !known.has(parent)) continue;
      known.add(pid);
      grown = true;
    }
  }
  return all.filter(({ pid }) => known.has(pid));
}

function readAll(proc: string): Entry[] {
  return readdirSync(proc).flatMap((name) => (/^\d+$/.test(name) ? (entryOf(proc, name) ?? []) : []));
}

function entryOf(proc: string, name: string): Entry | undefined {
  const text = read(`${proc}/${name}/stat`);
  // the name, in parentheses, may contain anything
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 22) return undefined;
  const [parent, residentPages] = [Number(fields[1]), Number(fields[21])];
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid: Number(name), parent, ticks, residentPages };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended, or is not ours to see
  }
}

export interface MachineTime {
  /** Ticks in which a processor had nothing to do, all processors together. */
  readonly idle: number;
  readonly total: number;
}

/** All processors together; waiting for a disk counts as idle. */
export function machineTime(): MachineTime {
  const times = (read('/proc/stat').split('\n')[0] ?? '').split(/\s+/).slice(1, 9).map(Number);
  return { idle: (times[3] ?? 0) + (times[4] ?? 0), total: times.reduce((sum, time) => sum + time, 0) };
}

/** What happened second by second: what the threads of clients tell, and what the target costs meanwhile. */
import type { RecordableHistogram } from 'node:perf_hooks';
import type { Second } from '../results.ts';
import { createLatencies } from './latency.ts';
import type { Cost } from './process-tree.ts';
import type { Tick } from './tally.ts';

const MICROSECONDS = 1000;

interface Slot {
  bytes: number;
  files: number;
  errors: number;
  retries: number;
  active: number;
  firstByte: RecordableHistogram;
  resident: number | null;
  /** Processor seconds since the start of the load, at the end of this second. */
  cpu: number | null;
}

export class Timeline {
  readonly #slots: Slot[] = [];
  /** Sums over everything so far. */
  readonly total = { bytes: 0, files: 0, errors: 0, retries: 0 };
  readonly peak: { resident: number; proportional: number | undefined } = { resident: 0, proportional: undefined };
  /** By thread, as they told last. */
  readonly #active = new Map<number, number>();
  #cpuAtStart: number | undefined;

  /** Clients in a session. */
  get active(): number {
    return [...this.#active.values()].reduce((sum, active) => sum + active, 0);
  }

  /** @param elapsedMs Since the start of the load; the tick is of the second before */
  heard(elapsedMs: number, tick: Tick, thread = 0): void {
    const slot = this.#slot(elapsedMs - 500);
    slot.bytes += tick.received;
    slot.files += tick.fetched;
    slot.errors += tick.errors;
    slot.retries += tick.retries;
    this.#active.set(thread, tick.active);
    slot.active = Math.max(slot.active, this.active);
    if (tick.firstByte.count > 0) slot.firstByte.add(tick.firstByte);
    this.total.bytes += tick.received;
    this.total.files += tick.fetched;
    this.total.errors += tick.errors;
    this.total.retries += tick.retries;
  }

  /** @param cpuSeconds Of the target so far */
  sampled(elapsedMs: number, cost: Cost, cpuSeconds: number): void {
    const slot = this.#slot(elapsedMs);
    this.#cpuAtStart ??= cpuSeconds;
    slot.resident = Math.max(slot.resident ?? 0, cost.resident);
    slot.cpu = cpuSeconds - this.#cpuAtStart;
    this.peak.resident = Math.max(this.peak.resident, cost.resident);
    if (cost.proportional !== undefined) {
      this.peak.proportional = Math.max(this.peak.proportional ?? 0, cost.proportional);
    }
  }

  seconds(): Second[] {
    let cpuBefore = 0;
    return this.#slots.map(({ firstByte, cpu, ...slot }, at) => {
      const used = cpu === null ? null : Math.max(0, cpu - cpuBefore);
      cpuBefore = cpu ?? cpuBefore;
      const value = (percentile: number): number | null =>
        firstByte.count === 0 ? null : firstByte.percentile(percentile) / MICROSECONDS;
      return { at, ...slot, p50: value(50), p99: value(99), cpu: used };
    });
  }

  #slot(elapsedMs: number): Slot {
    const at = Math.max(0, Math.floor(elapsedMs / 1000));
    while (this.#slots.length <= at) {
      const firstByte = createLatencies(2);
      const slot = { bytes: 0, files: 0, errors: 0, retries: 0, active: 0, firstByte, resident: null, cpu: null };
      this.#slots.push(slot);
    }
    const slot = this.#slots[at];
    if (slot === undefined) throw new Error(`no second ${at}`);
    return slot;
  }
}

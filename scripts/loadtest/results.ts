/** What a run has shown, as it is kept in JSON and drawn in the report. Milliseconds and bytes throughout. */
import type { Latency } from './measure/latency.ts';
import type { MirrorTraffic } from './mirror.ts';

type Points = readonly (readonly [percentile: number, ms: number])[];

export interface Second {
  /** Since the start of the load. */
  readonly at: number;
  readonly bytes: number;
  readonly files: number;
  readonly errors: number;
  readonly retries: number;
  readonly active: number;
  /** First byte in this second; null where no file was fetched. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Resident bytes of the target; null where it cannot be seen. */
  readonly resident: number | null;
  /** Processor seconds of the target in this second. */
  readonly cpu: number | null;
}

/** What kept it from being faster; `harness` makes the run worthless as a measurement of the target. */
export type Limit = 'harness' | 'processors' | 'target' | 'none';

export interface RunResult {
  readonly target: string;
  readonly about: string;
  readonly version: string;
  readonly seconds: number;
  /** It was stopped because its time was up. */
  readonly cutShort: boolean;
  readonly files: number;
  readonly notModified: number;
  readonly receivedBytes: number;
  readonly verifiedBytes: number;
  readonly bytesPerSecond: number;
  readonly filesPerSecond: number;
  readonly sessions: { readonly done: number; readonly left: number; readonly failed: number };
  readonly errors: Readonly<Record<string, number>>;
  readonly retries: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
  readonly latency: {
    /** Of packages. */
    readonly firstByte: Latency | null;
    /** Of Release files and indexes. */
    readonly listsFirstByte: Latency | null;
    readonly complete: Latency | null;
    readonly sinceSent: Latency | null;
    readonly session: Latency | null;
  };
  readonly distribution: { readonly firstByte: Points; readonly complete: Points };
  readonly series: readonly Second[];
  readonly mirror: MirrorTraffic;
  /** Null where the target was started by somebody else. */
  readonly cost: {
    readonly peakResident: number;
    readonly peakProportional: number | null;
    readonly residentAtEnd: number;
    readonly cpuSeconds: number;
    readonly loopDelayMs: number | null;
  } | null;
  readonly harness: {
    readonly cpuSeconds: number;
    /** Share of the time, 0 to 1, that each thread of clients worked. */
    readonly busy: readonly number[];
    /** How late its timers were: latencies may be too long by as much. */
    readonly lateMs: { readonly p99: number; readonly max: number };
    /** Share of the machine's processors that had nothing to do. */
    readonly idle: number;
  };
  readonly limit: Limit;
}

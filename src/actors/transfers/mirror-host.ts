import type { FileInfo, RangeJob } from '../source.ts';
import type { Fault } from './candidates.ts';

/** Who the mirrors work for. */
export interface MirrorHost {
  /** What comes is wanted; else it is only waited for its end. */
  readonly active: boolean;
  /** The partial file, which is made if need be. */
  path(): Promise<string>;
  /** Headers were accepted. */
  started(): void;
  wrote(job: RangeJob, start: number, end: number): void;
  /** Something else may be asked for now. */
  ready(): void;
  /** The bytes that are there do not go with those that the mirror has now, and nobody can be blamed. */
  anew(fault: Fault): void;
  /** The bytes that are there do not go with those that come next. */
  restart(): void;
  /** Mirrors have only the whole, which is to be written over the bytes that are there. */
  overwrite(): void;
  notModified(info: FileInfo): void;
  /** No mirror can help with this. */
  end(fault: Fault): void;
}

/** Of what mirrors are asked for. */
export interface PumpLimits {
  /** Bytes. */
  readonly align?: number | undefined;
  /** Bytes. */
  readonly most?: number | undefined;
  /** In (0, 1]; at least one connection. */
  readonly share?: number | undefined;
}

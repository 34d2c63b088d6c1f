/** What main.ts runs. */
import type { Figure } from './figures.ts';
import type { LocalMirror } from '../support/local-mirror.ts';
import type { Scope } from '../support/scope.ts';

export interface BenchContext {
  /** Closed at the end of all benchmarks, also on errors and signals. */
  readonly scope: Scope;
  /** For caches, roots and logs; gone at the end. */
  readonly directory: string;
  /** The local copy of an archive, downloaded on first use. */
  mirror(): Promise<LocalMirror>;
  say(line: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** Why it cannot run here, in a few words; its last results are kept then. */
  readonly unable?: (scope: Scope) => Promise<string | undefined>;
  run(context: BenchContext): Promise<readonly Figure[]>;
}

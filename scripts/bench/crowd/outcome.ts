/** What a scenario of the crowd has shown, and the figures that it makes. Pure. */
import { type Figure, compare } from '../figures.ts';
import type { SentBytes } from '../../support/access-log.ts';

export interface Outcome {
  readonly sent: SentBytes;
  /** Seconds from the common start, or from its own in turn, to the end of APT, of each machine that got everything. */
  readonly finished: readonly number[];
  /** Machines that should have got everything, did not, and why. */
  readonly failed: readonly string[];
}

export interface Setting {
  /** Bytes of the packages that each machine asks for. */
  readonly copyBytes: number;
  /** Seconds that plain apt needs for them, alone, from the same mirror. */
  readonly alone: readonly number[];
}

export const SCENARIOS = {
  turn: { title: 'in turn', copies: 1.02, lastRatio: undefined, machines: 8 },
  together: { title: 'all at once', copies: 1.2, lastRatio: 1.4, machines: 8 },
  killed: { title: 'all at once, one killed', copies: 1.4, lastRatio: undefined, machines: 7 },
} as const;

export type ScenarioName = keyof typeof SCENARIOS;

export function scenarioFigures(name: ScenarioName, { sent, finished, failed }: Outcome, setting: Setting): Figure[] {
  const scenario = SCENARIOS[name];
  const of = { benchmark: 'crowd' };
  const title = (what: string): string => `${scenario.title}: ${what}`;
  const last = finished.length > 0 ? [Math.max(...finished)] : [];
  const figures = [
    compare(
      {
        ...of,
        measure: title('packages from the mirror'),
        unit: 'copies',
        ours: 'copies',
        target: { maxValue: scenario.copies },
      },
      { copies: [sent.packages / setting.copyBytes] },
    ),
    compare(
      { ...of, measure: title('everything else from the mirror'), unit: 'MB', ours: 'MB' },
      { MB: [sent.others / 1e6] },
    ),
    compare(
      {
        ...of,
        measure: title('machines done'),
        unit: 'machines',
        ours: 'machines',
        target: { minValue: scenario.machines },
        ...(failed.length === 0 ? {} : { note: failed.join('; ').slice(0, 1000) }),
      },
      { machines: [finished.length] },
    ),
    compare(
      {
        ...of,
        measure: title(name === 'turn' ? 'slowest machine' : 'last machine'),
        unit: 's',
        ours: 'last',
        peer: 'apt alone',
        ...(scenario.lastRatio === undefined ? {} : { target: { maxRatio: scenario.lastRatio } }),
      },
      { last, 'apt alone': setting.alone, each: finished },
    ),
  ];
  return figures;
}

/** The first packages of the list that are `bytes` together. */
export function atLeast<T extends { readonly size: number }>(packages: readonly T[], bytes: number): T[] {
  let sum = 0;
  const enough = packages.findIndex(({ size }) => (sum += size) >= bytes);
  return packages.slice(0, enough === -1 ? packages.length : enough + 1);
}

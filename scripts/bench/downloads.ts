/** `packages` and `limited`: a few hundred real packages with real apt-get, wall time against plain apt. */
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { type Contestant, createContestants, rotated } from './contestants.ts';
import { type Figure, type Target, compare } from './figures.ts';
import { startNginx } from '../support/nginx.ts';
import { withScope } from '../support/scope.ts';

interface Course {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  /** Bytes a second and connection; 0 is no limit. */
  readonly limitRate: number;
  readonly warm: boolean;
  readonly targets: { readonly cold: Target; readonly warm?: Target };
}

export const packages: Benchmark = course({
  name: 'packages',
  title: 'apt-get download of real packages, mirror on loopback',
  rounds: 5,
  limitRate: 0,
  warm: true,
  targets: { cold: { maxRatio: 1.15 }, warm: { maxRatio: 1.05 } },
});

export const limited: Benchmark = course({
  name: 'limited',
  title: 'the same with the mirror limited to 12.5 MB/s a connection',
  rounds: 3,
  limitRate: 12_500_000,
  warm: false,
  targets: { cold: { maxRatio: 0.6 } },
});

function course(course: Course): Benchmark {
  return {
    name: course.name,
    title: course.title,
    run: ({ scope: parent, mirror, directory, say }) =>
      withScope(parent, async (scope): Promise<Figure[]> => {
        const copy = await mirror();
        const [mirrorPort] = await startNginx(scope, [{ root: copy.root, limitRate: course.limitRate }]);
        if (mirrorPort === undefined) throw new Error('nginx has no port');
        const logFile = join(directory, `${course.name}-daemon.log`);
        const contestants = await createContestants(scope, {
          mirror: copy,
          mirrorPort,
          directory: join(directory, course.name),
          logFile,
        });
        const raw: Record<string, number[]> = {};
        const note = (key: string, ms: number): void => {
          (raw[key] ??= []).push(ms / 1000);
          say(`  ${key}: ${(ms / 1000).toFixed(2)} s`);
        };
        for (let round = 0; round < course.rounds; round++) {
          for (const contestant of rotated(contestants, round)) {
            await oneTurn(contestant);
          }
        }
        async function oneTurn({ name, apt, cool }: Contestant): Promise<void> {
          if (name === 'apt') return note('apt', await apt.download(copy.packages));
          await cool();
          await apt.plan(copy.packages);
          note(`${name} cold`, await apt.download(copy.packages));
          if (course.warm) note(`${name} warm`, await apt.download(copy.packages));
        }
        note('apt plan', (await contestants[0]?.apt.plan(copy.packages)) ?? Number.NaN);
        return figures(course, raw);
      }),
  };
}

function figures(course: Course, raw: Record<string, number[]>): Figure[] {
  const rows: Figure[] = [];
  for (const proxy of ['debtorrent', 'apt-cacher-ng']) {
    for (const state of course.warm ? (['cold', 'warm'] as const) : (['cold'] as const)) {
      const target = proxy === 'debtorrent' ? course.targets[state] : undefined;
      const of = {
        benchmark: course.name,
        measure: `${proxy} ${state}`,
        unit: 's',
        ours: `${proxy} ${state}`,
        peer: 'apt',
      };
      rows.push(compare({ ...of, ...(target === undefined ? {} : { target }) }, raw));
    }
  }
  return rows;
}

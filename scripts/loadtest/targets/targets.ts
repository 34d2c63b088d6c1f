/** All targets, and which of them a command line means. */
import { type Options, UsageError, isUrl } from '../options.ts';
import { approx } from './approx.ts';
import { aptCacherNg } from './apt-cacher-ng.ts';
import { debtorrent } from './debtorrent.ts';
import { nginxCache } from './nginx-cache.ts';
import { squid } from './squid.ts';
import type { Target } from './target.ts';
import { urlTarget } from './url.ts';

type Maker = (options: Options) => Target;

const TARGETS: Readonly<Record<string, Maker>> = {
  debtorrent: ({ daemons, peers, form }) => debtorrent({ daemons, extra: peers, form }),
  'apt-cacher-ng': () => aptCacherNg,
  squid: () => squid,
  nginx: () => nginxCache,
  approx: () => approx,
};

export const TARGET_NAMES = Object.keys(TARGETS);

/** @throws UsageError when a target is unknown or cannot run here */
export async function chooseTargets(options: Options, say: (line: string) => void): Promise<Target[]> {
  const chosen: Target[] = [];
  for (const name of options.targets.length > 0 || options.compare ? options.targets : ['debtorrent']) {
    const make = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
    const target = isUrl(name) ? urlTarget(name, options.form) : make?.(options);
    if (target === undefined)
      throw new UsageError(`--target: '${name}' is not one of ${TARGET_NAMES.join(', ')} or a URL`);
    const why = await target.unable();
    if (why !== undefined) throw new UsageError(`--target: ${name}: ${why}`);
    chosen.push(target);
  }
  if (!options.compare) return chosen;
  for (const [name, make] of Object.entries(TARGETS)) {
    if (options.targets.includes(name)) continue;
    const target = make(options);
    const why = await target.unable();
    if (why === undefined) chosen.push(target);
    else say(`not compared: ${name}: ${why}`);
  }
  return chosen;
}

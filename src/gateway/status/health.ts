/** Is it working? One sentence for people, and the four things that it depends on. Pure. */
import { answersWithErrors, bytes, counted, mirrorTrouble, percent } from '../../core/text.ts';
import type { StatusReport } from './report.ts';

export interface Check {
  readonly name: 'archives' | 'mirrors' | 'peers' | 'cache';
  /** `idle`: nothing is wrong, there was just nothing to do yet. */
  readonly state: 'good' | 'idle' | 'trouble';
  readonly says: string;
}

export interface Health {
  readonly state: 'working' | 'trouble';
  readonly says: string;
  readonly checks: readonly Check[];
}

/** A cache that is fuller than this throws files away all the time. */
const FULL = 0.98;

export type HealthFacts = Pick<StatusReport, 'torrents' | 'mirrors' | 'peers' | 'cache' | 'peering' | 'listening'>;

export function healthOf(facts: HealthFacts): Health {
  const checks = [archives(facts), mirrors(facts), peers(facts), cache(facts)];
  const troubled = checks.filter(({ state }) => state === 'trouble');
  if (troubled.length > 0) {
    const says = `It works, but not all is well: ${troubled.map((check) => check.says).join('; ')}.`;
    return { state: 'trouble', says, checks };
  }
  const waiting = facts.mirrors.length === 0 && facts.cache.files === 0;
  return { state: 'working', says: waiting ? 'It works, and waits for APT.' : 'It works.', checks };
}

function archives({ torrents }: HealthFacts): Check {
  if (torrents.length > 0) {
    const files = torrents.reduce((sum, torrent) => sum + torrent.files, 0);
    return {
      name: 'archives',
      state: 'good',
      says: `${counted(torrents.length, 'index', 'indexes')} verified, ${counted(files, 'file')} known`,
    };
  }
  return { name: 'archives', state: 'idle', says: 'no index verified yet: run apt-get update through it' };
}

function mirrors({ mirrors: all }: HealthFacts): Check {
  if (all.length === 0) return { name: 'mirrors', state: 'idle', says: 'none was asked since the start' };
  const failing = all.filter((mirror) => mirror.failing);
  if (failing.length === 0) {
    return {
      name: 'mirrors',
      state: 'good',
      says: all.length === 1 ? '1 mirror answers' : `${all.length} mirrors, all answer`,
    };
  }
  const [first] = failing;
  const answering = failing.filter(({ last_error: last }) => answersWithErrors(last?.code)).length;
  const how = answering === 0 ? 'do not answer' : answering === failing.length ? 'answer with errors' : 'fail';
  const says =
    first !== undefined && failing.length === 1
      ? `${first.host} ${mirrorTrouble(first.last_error?.code)}`
      : `${failing.length} of ${all.length} mirrors ${how}`;
  return { name: 'mirrors', state: 'trouble', says };
}

function peers({ peering, peers: all, listening }: HealthFacts): Check {
  if (peering === 'off') return { name: 'peers', state: 'idle', says: 'turned off' };
  if (peering === 'silent') return { name: 'peers', state: 'trouble', says: 'the part that talks to peers is silent' };
  const linked = all.filter(({ banned }) => !banned).length;
  if (linked > 0) return { name: 'peers', state: 'good', says: `${linked} connected` };
  return { name: 'peers', state: 'idle', says: `none found yet, listening on ${listening.peer ?? 'no port'}` };
}

function cache({ cache: { files, bytes: used, limit_bytes: limit } }: HealthFacts): Check {
  const says = `${counted(files, 'file')}, ${bytes(used)}${limit > 0 ? ` (${percent(used, limit)} of ${bytes(limit)})` : ''}`;
  return { name: 'cache', state: limit > 0 && used > limit * FULL ? 'idle' : 'good', says };
}

/** The report as lines for people: the questions of the status page, in the same order. Pure. */
import { bytes, counted, duration, mirrorTrouble, percent, printable } from '../../core/text.ts';
import type { Report } from './report.ts';
import type { Line } from './terminal.ts';

const MAX_TRANSFERS = 10;
const MAX_PEERS = 10;
const MAX_TORRENTS = 10;
const MAX_MIRRORS = 5;
const MAX_ERRORS = 5;
const BAR = 30;
/** Below this width bars and addresses are left out. */
const NARROW = 70;

/** @param now milliseconds since the epoch. */
export function formatStatus(report: Report, columns: number, now: number): Line[] {
  const { version, uptime_s } = report;
  return [
    { text: `debtorrent ${printable(version)}, up ${duration(uptime_s)}`, style: 'strong' },
    ...health(report),
    ...current(report, columns),
    ...saved(report),
    ...cache(report),
    ...swarm(report, columns),
    ...mirrors(report),
    ...errors(report, now),
  ];
}

function health({ health: known }: Report): Line[] {
  if (known === undefined) return [];
  const good = known.state === 'working';
  return [
    { text: printable(known.says), style: good ? 'good' : 'bad' },
    ...known.checks
      .filter(({ state }) => state !== 'good')
      .map(({ name, state, says }): Line => {
        return { text: field(printable(name), printable(says)), ...(state === 'trouble' && { style: 'bad' }) };
      }),
  ];
}

function current({ transfers, rates }: Report, columns: number): Line[] {
  const speeds =
    rates && `mirrors ${rate(rates.from_mirror)}, peers ${rate(rates.from_peers)}, to peers ${rate(rates.uploaded)}`;
  return [
    ...(speeds === undefined ? [] : [{ text: field('now', speeds) }]),
    { text: field('transfers', String(transfers.length)) },
    ...transfers.slice(0, MAX_TRANSFERS).map((transfer) => ({ text: `  ${transferLine(transfer, columns)}` })),
    ...more(transfers.length - MAX_TRANSFERS),
  ];
}

function transferLine(transfer: Report['transfers'][number], columns: number): string {
  const {
    path,
    size,
    received,
    from_peers: peers,
    from_mirror: mirror,
    rate: speed,
    waiting_clients: clients,
  } = transfer;
  const narrow = columns < NARROW;
  const name = printable(narrow ? path.slice(path.lastIndexOf('/') + 1) : path.replace(/^https?:\/\//, ''));
  const known = typeof size === 'number';
  const words = [
    known ? `${bytes(received)} of ${bytes(size)}` : bytes(received),
    ...(speed > 0 ? [rate(speed)] : []),
    ...(speed > 0 && known && size > received ? [`${duration(Math.ceil((size - received) / speed))} left`] : []),
    ...(peers > 0 ? [`${percent(peers, peers + mirror)} from peers`] : []),
    ...(clients > 1 ? [`${clients} clients wait`] : []),
  ];
  const bar = known && !narrow ? `${progress(received / Math.max(size, 1), peers / Math.max(peers + mirror, 1))} ` : '';
  return `${bar}${name}: ${words.join(', ')}`;
}

/** `[##==------]`: from peers, from mirrors, missing. */
function progress(done: number, share: number): string {
  const filled = Math.round(Math.min(done, 1) * BAR);
  const peers = Math.round(filled * Math.min(share, 1));
  return `[${'#'.repeat(peers)}${'='.repeat(filled - peers)}${'-'.repeat(BAR - filled)}]`;
}

function saved({ totals, lifetime }: Report): Line[] {
  const { served_bytes, requests, errors: failures, from_cache_bytes, from_peers_bytes, from_mirror_bytes } = totals;
  const all = lifetime && lifetime.saved_bytes + lifetime.from_mirror_bytes;
  return [
    ...(lifetime === undefined
      ? []
      : [
          {
            text: field(
              'saved',
              `${bytes(lifetime.saved_bytes)} that no mirror had to send, ${percent(lifetime.saved_bytes, all ?? 0)} of all since ${day(lifetime.since)}`,
            ),
            style: 'strong' as const,
          },
        ]),
    { text: field('served', `${bytes(served_bytes)} in ${requests} requests, ${failures} errors`) },
    {
      text: field(
        '  from',
        `cache ${bytes(from_cache_bytes)}, peers ${bytes(from_peers_bytes)}, mirrors ${bytes(from_mirror_bytes)}`,
      ),
    },
  ];
}

function cache({ cache: { files, bytes: used, limit_bytes: limit, answers, hits } }: Report): Line[] {
  const of = limit === 0 ? '' : ` of ${bytes(limit)}`;
  const rate_ = answers === 0 ? '' : `, ${percent(hits, answers)} of answers came from it`;
  return [{ text: field('cache', `${files} files, ${bytes(used)}${of}${rate_}`) }];
}

function swarm({ torrents, peers }: Report, columns: number): Line[] {
  const linked = peers.filter(({ banned }) => !banned);
  const sorted = [...linked, ...peers.filter(({ banned }) => banned)];
  return [
    { text: field('torrents', `${torrents.length}, peers ${linked.length}`) },
    ...torrents.slice(0, MAX_TORRENTS).map(({ name, files, bytes: size, peers: count }) => ({
      text: `  ${printable(name)}: ${counted(files, 'file')}, ${bytes(size)}, ${counted(count, 'peer')}`,
    })),
    ...more(torrents.length - MAX_TORRENTS),
    ...sorted.slice(0, MAX_PEERS).map((peer): Line => {
      const client = columns < NARROW || peer.client === '' ? '' : ` (${printable(peer.client)})`;
      const down = `from it ${bytes(peer.down_bytes)}${now(peer.down_rate)}`;
      const up = `to it ${bytes(peer.up_bytes)}${now(peer.up_rate)}`;
      const text = `  ${printable(peer.address)}${client}: ${down}, ${up}`;
      return peer.banned ? { text: `${text}, banned`, style: 'bad' } : { text };
    }),
    ...more(sorted.length - MAX_PEERS),
  ];
}

function mirrors({ mirrors: all }: Report): Line[] {
  const sorted = all.toSorted((a, b) => Number(b.failing) - Number(a.failing) || b.bytes - a.bytes);
  return [
    ...sorted
      .slice(0, MAX_MIRRORS)
      .map(({ host, bytes: received, errors: failures, failing, last_error: last }): Line => {
        const says = `${printable(host)}: ${bytes(received)}, ${counted(failures, 'failure')}`;
        return {
          text: field('mirror', `${says}${failing ? `, ${mirrorTrouble(last?.code)}` : ''}`),
          ...(failing && { style: 'bad' }),
        };
      }),
    ...more(sorted.length - MAX_MIRRORS),
  ];
}

function errors({ recent_errors: rows }: Report, at: number): Line[] {
  if (rows.length === 0) return [];
  return [
    { text: 'went wrong lately' },
    ...rows.slice(0, MAX_ERRORS).map((row): Line => {
      const times = row.count > 1 ? `, ${row.count} times` : '';
      const about = row.about === '' ? '' : ` ${printable(row.about)}`;
      const ago = duration(Math.max(at - row.at, 0) / 1000);
      return {
        text: `  ${printable(row.code ?? '-')}${about}, ${ago} ago${times}: ${printable(row.message)}`,
        style: 'soft',
      };
    }),
    ...more(rows.length - MAX_ERRORS),
  ];
}

function field(name: string, value: string): string {
  return `${name.padEnd(9)} ${value}`;
}

function more(count: number): Line[] {
  return count > 0 ? [{ text: `  and ${count} more` }] : [];
}

function rate(amount: number): string {
  return `${bytes(amount)}/s`;
}

function now(speed: number): string {
  return speed > 0 ? ` (${rate(speed)})` : '';
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

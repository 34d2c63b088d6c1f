/** /status.json as a few lines for people. */
import * as v from 'valibot';
import { DebtorrentError } from '../core/errors.ts';
import { bytes, printable } from '../core/text.ts';

const count = v.optional(v.number(), 0);

/** What of the report is shown; the daemon may be of another version, so everything else may be missing. */
const Report = v.object({
  version: v.string(),
  uptime_s: count,
  torrents: v.optional(v.array(v.unknown()), []),
  peers: v.optional(v.array(v.unknown()), []),
  transfers: v.optional(
    v.array(v.object({ path: v.optional(v.string(), '?'), size: v.nullish(v.number()), received: count })),
    [],
  ),
  totals: v.optional(
    v.object({
      served_bytes: count,
      from_cache_bytes: count,
      from_peers_bytes: count,
      from_mirror_bytes: count,
      requests: count,
      errors: count,
    }),
    {},
  ),
  cache: v.optional(v.object({ files: count, bytes: count, limit_bytes: count }), {}),
});

const TRANSFERS_SHOWN = 20;

/** @throws DebtorrentError BAD_REQUEST when the report is none. */
export function formatStatus(report: unknown): string {
  const parsed = v.safeParse(Report, report);
  if (!parsed.success) throw new DebtorrentError('BAD_REQUEST', 'what answers there is no debtorrent');
  const { version, uptime_s, torrents, peers, transfers, totals, cache } = parsed.output;
  const limit = cache.limit_bytes === 0 ? '' : ` of ${bytes(cache.limit_bytes)}`;
  const lines = [
    `debtorrent ${printable(version)}, up ${duration(uptime_s)}`,
    `served    ${bytes(totals.served_bytes)} in ${totals.requests} requests, ${totals.errors} errors`,
    `  from    cache ${bytes(totals.from_cache_bytes)}, peers ${bytes(totals.from_peers_bytes)}, mirrors ${bytes(totals.from_mirror_bytes)}`,
    `cache     ${cache.files} files, ${bytes(cache.bytes)}${limit}`,
    `torrents  ${torrents.length}, peers ${peers.length}`,
    `transfers ${transfers.length}`,
    ...transfers.slice(0, TRANSFERS_SHOWN).map((transfer) => {
      const of = typeof transfer.size === 'number' ? ` of ${bytes(transfer.size)}` : '';
      return `  ${printable(transfer.path)}: ${bytes(transfer.received)}${of}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

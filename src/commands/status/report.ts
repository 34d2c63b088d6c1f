/** /status.json as `debtorrent status` reads it: the daemon may be of another version, so that nearly all may be missing. */
import * as v from 'valibot';
import { DebtorrentError } from '../../core/errors.ts';

const count = v.optional(v.number(), 0);
const text = v.optional(v.string(), '');
const list = <T extends v.GenericSchema>(row: T) => v.optional(v.array(row), []);

const Report = v.object({
  version: v.string(),
  uptime_s: count,
  health: v.optional(
    v.object({ state: text, says: text, checks: list(v.object({ name: text, state: text, says: text })) }),
  ),
  torrents: list(v.object({ name: text, files: count, bytes: count, peers: count })),
  peers: list(
    v.object({
      address: text,
      client: text,
      down_bytes: count,
      up_bytes: count,
      down_rate: count,
      up_rate: count,
      banned: v.optional(v.boolean(), false),
    }),
  ),
  transfers: list(
    v.object({
      path: v.optional(v.string(), '?'),
      size: v.nullish(v.number()),
      received: count,
      from_peers: count,
      from_mirror: count,
      waiting_clients: count,
      rate: count,
      state: text,
    }),
  ),
  totals: v.optional(
    v.object({
      served_bytes: count,
      from_cache_bytes: count,
      from_peers_bytes: count,
      from_mirror_bytes: count,
      uploaded_bytes: count,
      requests: count,
      errors: count,
    }),
    {},
  ),
  cache: v.optional(v.object({ files: count, bytes: count, limit_bytes: count, answers: count, hits: count }), {}),
  mirrors: list(
    v.object({
      host: text,
      bytes: count,
      errors: count,
      failing: v.optional(v.boolean(), false),
      last_error: v.nullish(v.object({ code: text })),
    }),
  ),
  rates: v.optional(v.object({ from_peers: count, from_mirror: count, uploaded: count })),
  lifetime: v.optional(v.object({ since: count, saved_bytes: count, from_mirror_bytes: count, uploaded_bytes: count })),
  recent_errors: list(v.object({ at: count, code: v.nullish(v.string()), about: text, message: text, count: count })),
});

export type Report = v.InferOutput<typeof Report>;

/** @throws DebtorrentError BAD_REQUEST when it is no report. */
export function parseReport(json: unknown): Report {
  const parsed = v.safeParse(Report, json);
  if (!parsed.success) throw new DebtorrentError('BAD_REQUEST', 'what answers there is no debtorrent');
  return parsed.output;
}

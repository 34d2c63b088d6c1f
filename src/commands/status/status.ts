/** `debtorrent status`: asks the running daemon how it is, once or again and again. */
import { DebtorrentError } from '../../core/errors.ts';
import type { Config } from '../../config/schema.ts';
import { fetchStatus } from './fetch-status.ts';
import { formatStatus } from './format.ts';
import { parseReport } from './report.ts';
import { looksOf, paint } from './terminal.ts';
import { watch } from './watch.ts';

export interface StatusOptions {
  /** The report as it is; with `watch` one line each time. */
  readonly json: boolean;
  readonly watch: boolean;
}

export interface StatusDeps {
  readonly out: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** @throws DebtorrentError MIRROR_UNREACHABLE (never retried here) when no daemon answers where it should be. */
export async function status(
  config: Pick<Config, 'listen'>,
  options: StatusOptions,
  { out, env, now }: StatusDeps,
): Promise<number> {
  const { port } = config.listen;
  if (port === 0) throw new DebtorrentError('CONFIG_INVALID', "--listen: '0' is not the port of a running daemon");
  const host = reachable(config.listen.host);
  const show = async (): Promise<string> => {
    const json = await fetchStatus(host, port);
    if (options.json) return `${JSON.stringify(json, undefined, options.watch ? undefined : 2)}\n`;
    const looks = looksOf(out, env);
    const lines = formatStatus(parseReport(json), looks.columns, now());
    return paint(options.watch ? lines.slice(0, looks.rows - 1) : lines, looks);
  };
  const first = await show();
  if (options.watch) await watch({ out, first, show, redraw: out.isTTY && !options.json && env['TERM'] !== 'dumb' });
  else out.write(first);
  return 0;
}

/** Who listens on every address is reached on this machine's own. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

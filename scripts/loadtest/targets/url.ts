/** A proxy that somebody else has started. What it costs cannot be seen; it must be allowed to fetch from the mirror. */
import { type Form, routeTo } from '../client/route.ts';
import type { Target } from './target.ts';

export function urlTarget(url: string, form: Form): Target {
  const { hostname, port } = new URL(url);
  const at = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) };
  return {
    name: url,
    about: `started by somebody else, ${form} form`,
    unable: async () => undefined,
    version: async () => 'unknown',
    start: async (_scope, { mirror, archive }) => ({
      routes: [routeTo(at, form, mirror, archive.base)],
      pids: () => [],
    }),
  };
}

/** The way from a client to the archive: which address it connects to, and how it spells what it asks for. */

export interface Route {
  /** Where to connect. */
  readonly host: string;
  readonly port: number;
  /** The archive without its last slash: a path for a server or in prefix form, a URL in proxy form. */
  readonly base: string;
  /** The Host header. */
  readonly hostHeader: string;
}

export type Form = 'prefix' | 'proxy' | 'direct';

/** @param mirror HOST:PORT of the mirror, and `base` the archive on it */
export function routeTo(target: { host: string; port: number }, form: Form, mirror: string, base: string): Route {
  const { host, port } = target;
  const own = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (form === 'proxy') return { host, port, base: `http://${mirror}/${base}`, hostHeader: mirror };
  return { host, port, base: form === 'prefix' ? `/${mirror}/${base}` : `/${base}`, hostHeader: own };
}

/** A route as a line of sources.list has it, and the proxy that has to be set for it. */
export function sourceOf(route: Route): { readonly uri: string; readonly proxy: string | undefined } {
  if (!route.base.startsWith('http://')) return { uri: `http://${route.hostHeader}${route.base}`, proxy: undefined };
  return { uri: route.base, proxy: `http://${route.host}:${route.port}` };
}

/** As apt-get spells it: `%` and what no URI may have are encoded, and also `+` and `~`. */
export function requestTarget(route: Route, path: string): string {
  return `${route.base}/${encodeURI(path).replaceAll('+', '%2b').replaceAll('~', '%7e')}`;
}

/** Request heads byte for byte as APT 2.6 sends them; a test compares them with those of the real one. */
import { type Route, requestTarget } from './route.ts';

export interface Asked {
  /** Below the archive's base. */
  readonly path: string;
  readonly kind: 'release' | 'index' | 'package';
  /** Of the copy that the client has; an HTTP date. */
  readonly modifiedSince?: string | undefined;
  /** Bytes that the client has from an answer with this Last-Modified. */
  readonly resume?: { readonly from: number; readonly date: string } | undefined;
}

const USER_AGENT = 'Debian APT-HTTP/1.3 (2.6.2)';

export function requestHead(route: Route, asked: Asked): string {
  const lines = [`GET ${requestTarget(route, asked.path)} HTTP/1.1`, `Host: ${route.hostHeader}`];
  if (asked.kind !== 'package') lines.push('Cache-Control: max-age=0');
  // where a name has no extension a server might negotiate
  if (!/\.[^/]*$/.test(asked.path)) lines.push('Accept: text/*');
  if (asked.resume !== undefined) lines.push(`Range: bytes=${asked.resume.from}-`, `If-Range: ${asked.resume.date}`);
  else if (asked.modifiedSince !== undefined) lines.push(`If-Modified-Since: ${asked.modifiedSince}`);
  return `${lines.join('\r\n')}\r\nUser-Agent: ${USER_AGENT}\r\n\r\n`;
}

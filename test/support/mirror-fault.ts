/** The ways in which a test mirror misbehaves. Without a fault it is a correct HTTP/1.1 server. */
export interface Fault {
  /** Milliseconds before the headers. */
  readonly delayMs?: number;
  /** Nothing is answered before this settles. */
  readonly hold?: Promise<unknown>;
  /** Bytes a second of the body. */
  readonly rate?: number;
  /** Byte of the body after which nothing more comes. */
  readonly stallAt?: number;
  /** When it settles the rate and the stall are over, also for answers under way. */
  readonly until?: Promise<unknown>;
  /** Byte of the body after which the connection is closed. */
  readonly truncateAt?: number;
  /** Byte of the body after which the connection is reset. */
  readonly resetAt?: number;
  /** Connection reset in place of an answer. */
  readonly reset?: boolean;
  /** Neither Content-Length nor chunks: the end of the connection is the end of the body. */
  readonly closeDelimited?: boolean;
  /** Whole file with 200 whatever range is asked for. */
  readonly ignoreRange?: boolean;
  /** Other bytes of the same length and with the same validators. */
  readonly garbage?: boolean;
  /** Offset in the file of one byte that is altered. */
  readonly alterAt?: number;
  /** Content-Range header of a 206, in place of the right one. */
  readonly contentRange?: string;
  /** `only`: chunked; `with-length`: Transfer-Encoding and Content-Length both. */
  readonly chunked?: 'only' | 'with-length';
  /** Content-Length header, in place of the right one. */
  readonly contentLength?: string;
  /** Location of a redirect; the status is 302 unless `status` says otherwise. */
  readonly redirect?: string;
  /** Content-Encoding: gzip, whether the client accepts it or not, or only if it does. */
  readonly gzip?: 'always' | 'accepted';
  /** Status of an error with a short body. */
  readonly status?: number;
  /** Added, or put in place of what would be sent; names in lower case; an empty value leaves the header out. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is in place of an answer, then the connection is closed. */
  readonly raw?: Buffer | string;
  /** Content in place of the file's. */
  readonly content?: Buffer;
  readonly etag?: string;
}

/** A request as the mirror saw it. */
export interface MirrorRequest {
  readonly method: string;
  /** Request target as sent. */
  readonly target: string;
  /** Path, percent-decoded. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connection: number;
  /** 0 until an answer begins, and when none is given. */
  status: number;
  /** Bytes of the body handed to the kernel. */
  sent: number;
  /** Bytes of the whole file; 0 when there is none. */
  size: number;
  done: boolean;
}

/** Parses a header block; undefined when it is no HTTP/1.1 request. */
export function parseRequest(head: string, connection: number): MirrorRequest | undefined {
  const [first = '', ...lines] = head.split('\r\n');
  const match = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(first);
  if (match === null) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const [, method = '', target = ''] = match;
  let path: string;
  try {
    path = decodeURIComponent(target.replace(/^https?:\/\/[^/]*/, '').replace(/[?#].*$/, ''));
  } catch {
    return undefined;
  }
  return { method, target, path, headers, connection, status: 0, sent: 0, size: 0, done: false };
}

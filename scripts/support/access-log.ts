/** nginx's account of what a mirror sent: how many bytes of packages, and how many of everything else. */

/** For nginx's log_format. Bodies only: neither headers nor what TCP sends again. */
export const ACCESS_LOG_FORMAT = '$msec $remote_addr $status $body_bytes_sent "$request_uri" "$http_range"';

export interface LogEntry {
  /** Seconds since the epoch at which the answer ended. */
  readonly at: number;
  readonly client: string;
  readonly status: number;
  readonly bytes: number;
  readonly path: string;
  /** The Range header; `-` where there was none. */
  readonly range: string;
}

export interface SentBytes {
  readonly packages: number;
  /** Release files and indexes, and the bodies of errors. */
  readonly others: number;
}

const LINE = /^(\d+\.\d+) (\S+) (\d{3}) (\d+) "(.*)" "(.*?)"$/;

/** A last line that is still being written is left out; throws on any other that is not of the format. */
export function parseAccessLog(text: string): LogEntry[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => {
    const [, at, client = '', status, bytes, path = '', range = '-'] = LINE.exec(line) ?? [];
    if (at === undefined) throw new Error(`not a line of the access log: ${line.slice(0, 200)}`);
    return { at: Number(at), client, status: Number(status), bytes: Number(bytes), path, range };
  });
}

export function sentBytes(entries: readonly LogEntry[]): SentBytes {
  let [packages, others] = [0, 0];
  for (const { status, bytes, path } of entries) {
    const isPackage = (status === 200 || status === 206) && path.endsWith('.deb');
    if (isPackage) packages += bytes;
    else others += bytes;
  }
  return { packages, others };
}

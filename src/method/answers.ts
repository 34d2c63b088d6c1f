/** What the method tells APT, as text. */
import { formatHttpDate } from '../core/http/http-date.ts';
import { formatAptMessage } from '../core/method/apt-message.ts';
import type { Failure, Outcome } from './outcome.ts';

export function uriStart(uri: string, size: number | undefined, resumedAt: number): string {
  return formatAptMessage('200 URI Start', { URI: uri, Size: size, 'Resume-Point': resumedAt || undefined });
}

export function uriDone(uri: string, filename: string, done: Extract<Outcome, { kind: 'done' }>): string {
  const { size, resumedAt, lastModifiedMs, digests } = done;
  return formatAptMessage('201 URI Done', {
    URI: uri,
    Filename: filename,
    Size: size,
    'Last-Modified': lastModifiedMs === undefined ? undefined : formatHttpDate(lastModifiedMs),
    'Resume-Point': resumedAt || undefined,
    ...Object.fromEntries([...digests].map(([name, digest]) => [`${name}-Hash`, digest])),
    // APT counts what was fetched by it
    'Checksum-FileSize-Hash': size,
  });
}

export function notModified(uri: string, filename: string, lastModified: string | undefined): string {
  return formatAptMessage('201 URI Done', {
    URI: uri,
    Filename: filename,
    'Last-Modified': lastModified,
    'IMS-Hit': 'true',
  });
}

export function uriFailure(uri: string, { message, reason, transient }: Failure): string {
  return formatAptMessage('400 URI Failure', {
    URI: uri,
    Message: message,
    FailReason: reason,
    'Transient-Failure': transient ? 'true' : undefined,
  });
}

export function redirect(uri: string, to: string): string {
  return formatAptMessage('103 Redirect', { URI: uri, 'New-URI': to });
}

export function warning(message: string): string {
  return formatAptMessage('104 Warning', { Message: message });
}

export function generalFailure(message: string): string {
  return formatAptMessage('401 General Failure', { Message: message });
}

/**
 * HOST and HOST:PORT as they come in request lines, Host headers, redirects and the configuration. One spelling a
 * host: rules that compare text must not be passed by writing an address another way.
 */
import ipaddr from 'ipaddr.js';

export interface Authority {
  /** Lower-case DNS name without a final dot, dotted-decimal IPv4, or IPv6 as RFC 5952 writes it, without brackets. */
  readonly host: string;
  /** 0 to 65535; undefined when none is given. */
  readonly port: number | undefined;
}

/** Labels of 1 to 63 letters, digits, `_` and inner `-`. */
const DNS_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.(?!$)|$))+$/;
/** A last label that the C library would read as a number, so that the whole is an IPv4 address (`0x7f.1`). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;
const DOTTED_DECIMAL = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const DNS_NAME_LENGTH = 253;

/**
 * The one spelling of a host, or undefined for what is none: empty, non-ASCII (write IDN as `xn--…`), odd IPv4
 * literals (octal, hexadecimal, fewer than four parts), IPv6 without brackets or with a zone.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.startsWith('[')) return text.endsWith(']') ? canonicalIpv6(text.slice(1, -1)) : undefined;
  if (text.length > DNS_NAME_LENGTH + 1) return undefined;
  const lower = text.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (ENDS_IN_NUMBER.test(name)) return DOTTED_DECIMAL.test(name) ? name : undefined;
  return name.length <= DNS_NAME_LENGTH && DNS_NAME.test(name) ? name : undefined;
}

function canonicalIpv6(text: string): string | undefined {
  return !text.includes('%') && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text).toRFC5952String() : undefined;
}

/** Parses `HOST` or `HOST:PORT` (IPv6 in brackets, port in decimal digits); undefined for anything else. */
export function parseAuthority(text: string): Authority | undefined {
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text);
  const host = canonicalHost(match?.[1] ?? '');
  if (!match || host === undefined) return undefined;
  const port = match[2] === undefined ? undefined : Number(match[2]);
  return port !== undefined && port > 65535 ? undefined : { host, port };
}

/** The host as it stands in a URL: IPv6 gets its brackets. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** `HOST:PORT`, with brackets where they are needed. */
export function formatAuthority(host: string, port: number): string {
  return `${urlHost(host)}:${port}`;
}

/** True for the canonical text of an IPv4 or IPv6 address. */
export function isIpLiteral(host: string): boolean {
  return host.includes(':') || DOTTED_DECIMAL.test(host);
}

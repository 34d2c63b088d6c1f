/** The kinds of values in the configuration: from text to something typed, or a reason that completes a sentence. */
import * as v from 'valibot';
import { formatAuthority, parseAuthority, urlHost } from '../core/http/authority.ts';
import { parseMirrorUrl } from '../core/http/mirror-url.ts';
import type { AlternateMirror } from '../core/http/alternates.ts';
import { compileHostRules } from '../core/host-rules.ts';
import type { MirrorUrl } from '../core/ids.ts';

/** An address or name, without brackets, and a port. */
export interface Endpoint {
  readonly host: string;
  /** 0 to 65535; 0 lets the system pick one to listen on. */
  readonly port: number;
}

/** Makes a schema of a parser; `expected` completes "'value' is not …". */
function text<T>(parse: (text: string) => T | undefined, expected: string) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `is not ${expected}`, input: dataset.value });
      return NEVER;
    }),
  );
}

function parseEndpoint(value: string): Endpoint | undefined {
  const authority = parseAuthority(value);
  return authority?.port === undefined ? undefined : { host: authority.host, port: authority.port };
}

export const listenAddress = text(parseEndpoint, 'ADDR:PORT (IPv6 in brackets, port 0 to 65535)');

export const listenAddressOrOff = text(
  (value) => (value === 'off' ? 'off' : parseEndpoint(value)),
  "ADDR:PORT (IPv6 in brackets, port 0 to 65535) or 'off'",
);

export const peerAddress = text((value) => {
  const endpoint = parseEndpoint(value);
  return endpoint?.port === 0 ? undefined : endpoint;
}, 'HOST:PORT (IPv6 in brackets, port 1 to 65535)');

export const onOff = text((value) => (value === 'on' ? true : value === 'off' ? false : undefined), "'on' or 'off'");

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** `20G`, `1.5 GiB`, `4096`: powers of 1024. */
function parseBytes(value: string): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?([KMGT]?)(?:iB|B)?$/i.exec(value);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * 1024 ** UNITS.indexOf((match[2] ?? '').toUpperCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export const size = text(parseBytes, 'a size such as 20G (K, M, G, T; 0 for no limit)');

export const rate = text(
  (value) => parseBytes(value.replace(/\/s$/, '')),
  'a rate such as 500K (bytes a second; K, M, G; 0 for no limit)',
);

export function integer(min: number, max: number) {
  return text((value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : undefined;
  }, `a whole number from ${min} to ${max}`);
}

export function oneOf<const T extends readonly string[]>(choices: T) {
  return text(
    (value) => choices.find((choice): choice is T[number] => choice === value),
    `one of ${choices.join(', ')}`,
  );
}

/** Paths are made absolute by the loader, which knows where the value stands. */
export const path = text(
  (value) => (value !== '' && !value.includes('\0') && value.length <= 4096 ? value : undefined),
  'a path',
);

export const trackerUrl = text((value) => {
  const match = /^(https?|udp):\/\/([^/?#\s]+)(\/[\x21-\x7e]*)?$/i.exec(value);
  const authority = parseAuthority(match?.[2] ?? '');
  if (!match?.[1] || !authority || value.includes('#')) return undefined;
  const scheme = match[1].toLowerCase();
  if (authority.port === 0 || (scheme === 'udp' && authority.port === undefined)) return undefined;
  const { host, port } = authority;
  return `${scheme}://${port === undefined ? urlHost(host) : formatAuthority(host, port)}${match[3] ?? ''}`;
}, 'an http, https or udp URL (udp with a port)');

export const mirrorPattern = text((value) => {
  try {
    compileHostRules([value]);
    return value;
  } catch {
    return undefined;
  }
}, 'HOST or HOST:PORT, where * stands for any characters');

export const alternateMirror = text<AlternateMirror>((value) => {
  const [one, other, ...more] = value.split('=').map(mirrorPrefix);
  return one !== undefined && other !== undefined && one !== other && more.length === 0 ? [one, other] : undefined;
}, 'HOST/PATH=HOST/PATH, two different mirrors of the same files');

/** `HOST/PATH`, with `http://`, `https://` or `HTTPS///` in front if need be, to a MirrorUrl that ends in `/`. */
function mirrorPrefix(value: string): MirrorUrl | undefined {
  const url = value.replace(/^HTTPS\/\/\//, 'https://');
  try {
    const prefix = parseMirrorUrl(/^https?:\/\//i.test(url) ? url : `http://${url}`);
    if (prefix.includes('?')) return undefined;
    return prefix.endsWith('/') ? prefix : (`${prefix}/` as MirrorUrl);
  } catch {
    return undefined;
  }
}

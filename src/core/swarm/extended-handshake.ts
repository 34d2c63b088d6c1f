/**
 * The extended handshake (BEP 10) as this protocol uses it (docs/PROTOCOL.md, "Connections"). The dictionary of a peer is
 * hostile until it was parsed.
 */
import { decodeBencode, encodeBencode, field } from './bencode.ts';
import { bytesIn, checkedNumber, malformed, numberIn } from './fields.ts';
import { BLIND_ID_BYTES, MAX_HANDSHAKE_BYTES, MAX_OPEN_REQUESTS, MAX_TORRENTS } from './limits.ts';

/** Of this protocol; what `dt.v` says. */
export const PROTOCOL_VERSION = 1;

const MAX_CLIENT_BYTES = 64;
const MAX_EXTENSIONS = 64;

export interface ExtendedHandshake {
  /** The highest version of the protocol that the sender speaks; 1 or more. */
  readonly version: number;
  /** Blinded ids of the sender's torrents, 8 bytes each. */
  readonly torrents: Uint8Array;
  /** Numbers under which the sender takes messages; `pex` is undefined when it takes none. */
  readonly extensions: { readonly files: number; readonly pex: number | undefined };
  /** Client and version, printable, at most 64 bytes; may be empty. */
  readonly client: string;
  /** TCP port that the sender listens on. */
  readonly listenPort: number | undefined;
  /** Requests that the sender takes at once, 1 to 256. */
  readonly maxRequests: number;
}

/** The dictionary to send, apart from `m` where the wire adds that itself. */
export function extendedHandshakeFields(
  own: Pick<ExtendedHandshake, 'client' | 'listenPort' | 'torrents'>,
): Record<string, unknown> {
  return {
    dt: { t: own.torrents, v: PROTOCOL_VERSION },
    ...(own.listenPort === undefined ? {} : { p: own.listenPort }),
    reqq: MAX_OPEN_REQUESTS,
    v: own.client,
  };
}

/** The payload, after the byte that says that it is the handshake. */
export function encodeExtendedHandshake(
  own: Pick<ExtendedHandshake, 'client' | 'listenPort' | 'torrents' | 'extensions'>,
): Uint8Array {
  const { files, pex } = own.extensions;
  return encodeBencode({
    ...extendedHandshakeFields(own),
    m: { dt_files: files, ...(pex === undefined ? {} : { ut_pex: pex }) },
  });
}

/** @throws DebtorrentError PEER_PROTOCOL for what is malformed or no handshake of this protocol */
export function decodeExtendedHandshake(payload: Uint8Array): ExtendedHandshake {
  if (payload.length > MAX_HANDSHAKE_BYTES) throw malformed('the extended handshake is too long');
  return parseExtendedHandshake(decodeBencode(payload));
}

/**
 * Takes what a bencode decoder made of the payload.
 * @throws DebtorrentError PEER_PROTOCOL as decodeExtendedHandshake
 */
export function parseExtendedHandshake(dictionary: unknown): ExtendedHandshake {
  const dt = field(dictionary, 'dt');
  if (dt === undefined) throw malformed('dt is missing, the peer is no peer of this protocol');
  const port = field(dictionary, 'p');
  const requests = field(dictionary, 'reqq');
  return {
    version: numberIn(dt, 'v', 1, Number.MAX_SAFE_INTEGER),
    torrents: bytesIn(dt, 't', 0, MAX_TORRENTS * BLIND_ID_BYTES, BLIND_ID_BYTES),
    extensions: extensionsIn(dictionary),
    client: clientIn(dictionary),
    listenPort: port === undefined ? undefined : checkedNumber(port, 'p', 1, 65_535),
    maxRequests: Math.min(
      MAX_OPEN_REQUESTS,
      requests === undefined ? MAX_OPEN_REQUESTS : checkedNumber(requests, 'reqq', 1, Number.MAX_SAFE_INTEGER),
    ),
  };
}

function extensionsIn(dictionary: unknown): ExtendedHandshake['extensions'] {
  const m = field(dictionary, 'm');
  if (typeof m !== 'object' || m === null || Array.isArray(m) || ArrayBuffer.isView(m)) throw malformed('m is missing');
  const numbers: unknown[] = Object.values(m);
  if (numbers.length > MAX_EXTENSIONS) throw malformed('m has too many extensions');
  for (const number of numbers) checkedNumber(number, 'a number in m', 0, 255);
  const pex = field(m, 'ut_pex') as number | undefined;
  // BEP 10: an extension whose number is 0 is switched off.
  return { files: numberIn(m, 'dt_files', 1, 255), pex: pex === 0 ? undefined : pex };
}

function clientIn(dictionary: unknown): string {
  const client = field(dictionary, 'v');
  if (client === undefined) return '';
  if (!(client instanceof Uint8Array)) throw malformed('v is no string');
  // What people see in logs and on pages: nothing that moves a cursor or turns the text around.
  return Buffer.from(client.subarray(0, MAX_CLIENT_BYTES))
    .toString('utf8')
    .replaceAll(/[\p{C}\u2028\u2029\ufffd]/gu, '?')
    .trim();
}

/**
 * The datagram by which a machine says on its local network that it is there: BEP 14's BT-SEARCH in form, so that other
 * clients take it for what it is, but blinded: `Infohash` is not a torrent's id but
 *
 *   first 20 bytes of SHA-256("debtorrent lan torrent 1" + cookie (16 bytes) + torrent id (20 bytes))
 *
 * under a cookie that is new for each announcement. Who shares a torrent recognizes it; who does not learns a number
 * that never comes again.
 */
import { createHash } from 'node:crypto';
import type { InfoHash } from '../ids.ts';
import { LEAST_PORT } from './peer-address.ts';

/** Most bytes of a datagram that is sent or looked at (BEP 14). */
export const DATAGRAM_LIMIT = 1400;
/** 24 lines of 52 bytes and the rest stay below DATAGRAM_LIMIT. */
const IDS_IN_ONE = 24;
/** What is accepted from others: as many lines as fit. */
const MAX_LINES = 40;

const TAG = 'debtorrent lan torrent 1';

export interface LanAnnouncement {
  /** 32 hexadecimal digits. */
  readonly cookie: string;
  /** TCP port on which the sender takes connections. */
  readonly port: number;
  /** 40 hexadecimal digits each, blinded under the cookie. */
  readonly blinded: readonly string[];
}

/** @param cookie 32 hexadecimal digits. */
export function blindLanId(id: InfoHash, cookie: string): string {
  const hash = createHash('sha256').update(TAG).update(Buffer.from(cookie, 'hex')).update(Buffer.from(id, 'hex'));
  return hash.digest().toString('hex', 0, 20);
}

/** Datagrams that announce these torrents; each has at most DATAGRAM_LIMIT bytes. */
export function encodeLanAnnouncements(
  group: string,
  port: number,
  cookie: string,
  torrents: readonly InfoHash[],
): Buffer[] {
  const datagrams: Buffer[] = [];
  for (let first = 0; first < torrents.length; first += IDS_IN_ONE) {
    const lines = torrents.slice(first, first + IDS_IN_ONE).map((id) => `Infohash: ${blindLanId(id, cookie)}\r\n`);
    const head = `BT-SEARCH * HTTP/1.1\r\nHost: ${group}\r\nPort: ${port}\r\n`;
    datagrams.push(Buffer.from(`${head}${lines.join('')}cookie: ${cookie}\r\n\r\n\r\n`, 'latin1'));
  }
  return datagrams;
}

const FIRST_LINE = 'BT-SEARCH * HTTP/1.1';
const PORT = /^[0-9]{1,5}$/;
const COOKIE = /^[0-9a-f]{32}$/i;
const INFOHASH = /^[0-9a-f]{40}$/i;

/** Undefined for whatever is not a well-formed announcement of a daemon of this kind. Never throws. */
export function parseLanAnnouncement(datagram: Uint8Array): LanAnnouncement | undefined {
  if (datagram.length > DATAGRAM_LIMIT) return undefined;
  const text = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength).toString('latin1');
  if (!text.startsWith(`${FIRST_LINE}\r\n`)) return undefined;
  const lines = text.split('\r\n', MAX_LINES);
  let cookie: string | undefined;
  let port: number | undefined;
  const blinded = new Set<string>();
  for (const line of lines.slice(1)) {
    if (line === '') break;
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, Math.max(colon, 0)).toLowerCase()) {
      case 'port':
        if (port !== undefined || !PORT.test(value)) return undefined;
        port = Number(value);
        break;
      case 'cookie':
        if (cookie !== undefined || !COOKIE.test(value)) return undefined;
        cookie = value.toLowerCase();
        break;
      case 'infohash':
        if (!INFOHASH.test(value)) return undefined;
        blinded.add(value.toLowerCase());
        break;
      default:
    }
  }
  if (cookie === undefined || port === undefined || port < LEAST_PORT || port > 65535) return undefined;
  return blinded.size === 0 ? undefined : { cookie, port, blinded: [...blinded] };
}

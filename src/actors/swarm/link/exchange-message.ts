/** The payload of `ut_pex` (BEP 11): addresses in compact form, four bytes or sixteen and the port. */
import ipaddr from 'ipaddr.js';

import { decodeBencode, encodeBencode, field } from '../../../core/swarm/bencode.ts';
import { readCompactPeers } from '../../../core/swarm/compact-peers.ts';
import type { PeerAddress } from '../../../core/swarm/peer-address.ts';

/** Entries of a message that are sent, or read of each family (BEP 11). */
const MOST = 50;

/** Names and what is no address are left out; so is what is beyond 50. */
export function encodeExchange(added: readonly PeerAddress[]): Uint8Array {
  const compact = added.flatMap(({ host, port }) => {
    if (!ipaddr.isValid(host) || host.includes('%')) return [];
    return [Buffer.from([...ipaddr.process(host).toByteArray(), port >> 8, port & 0xff])];
  });
  const sent = compact.slice(0, MOST);
  const ipv4 = sent.filter(({ length }) => length === 6);
  const ipv6 = sent.filter(({ length }) => length === 18);
  return encodeBencode({
    added: Buffer.concat(ipv4),
    'added.f': Buffer.alloc(ipv4.length),
    added6: Buffer.concat(ipv6),
    'added6.f': Buffer.alloc(ipv6.length),
  });
}

/** @throws DebtorrentError PEER_PROTOCOL for malformed bencode; an odd list of addresses is none. */
export function decodeExchange(payload: Uint8Array): PeerAddress[] {
  const dictionary = decodeBencode(payload);
  return (['added', 'added6'] as const).flatMap((key) => {
    const value = field(dictionary, key);
    if (!(value instanceof Uint8Array)) return [];
    return readCompactPeers(Buffer.from(value), key === 'added' ? 4 : 16, MOST) ?? [];
  });
}

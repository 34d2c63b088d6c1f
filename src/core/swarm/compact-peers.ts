/** Addresses in the compact form of BEP 23 (IPv4) and BEP 7 (IPv6). */
import type { PeerAddress } from './peer-address.ts';

/** Undefined when the length is not a multiple of an entry's. At most `limit` entries are read. */
export function readCompactPeers(bytes: Buffer, addressLength: 4 | 16, limit: number): PeerAddress[] | undefined {
  const entry = addressLength + 2;
  if (bytes.length % entry !== 0) return undefined;
  const peers: PeerAddress[] = [];
  for (let at = 0; at < bytes.length && peers.length < limit; at += entry) {
    const address = bytes.subarray(at, at + addressLength);
    peers.push({
      host: addressLength === 4 ? address.join('.') : ipv6Text(address),
      port: bytes.readUInt16BE(at + addressLength),
    });
  }
  return peers;
}

function ipv6Text(address: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => address.readUInt16BE(group * 2).toString(16)).join(':');
}

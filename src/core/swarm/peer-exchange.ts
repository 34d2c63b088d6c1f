/** Peer exchange (BEP 11): which addresses a link is told, and which of those it tells are believed. Pure policy. */
import type { InfoHash } from '../ids.ts';
import type { PeerAddress, Scope } from './peer-address.ts';
import { dialable, scopeOf } from './peer-address.ts';

/** Most addresses in one message, told or believed. BEP 11 allows 50 added contacts. */
export const EXCHANGE_LIMIT = 50;

/** A peer that could be told of: this machine has connected to exactly this address and port. */
export interface ExchangePeer extends PeerAddress {
  readonly common: readonly InfoHash[];
}

export interface ExchangeTarget {
  /** IP address of the link that is told. */
  readonly address: string;
  readonly port?: number | undefined;
  readonly common: readonly InfoHash[];
}

/**
 * Whom to tell a link of: peers of a torrent in common with that link, that the link could reach: loopback addresses
 * stay on this machine, private ones on private networks. At most EXCHANGE_LIMIT, the first ones of `peers`, each once.
 * Give the result of the last time to `exchangeDelta`.
 */
export function peersToTell(target: ExchangeTarget, peers: readonly ExchangePeer[]): PeerAddress[] {
  const shared = new Set(target.common);
  const told = new Map<string, PeerAddress>();
  for (const peer of peers) {
    if (told.size >= EXCHANGE_LIMIT) break;
    const { host, port } = peer;
    if (!peer.common.some((id) => shared.has(id))) continue;
    if (host === target.address && (target.port === undefined || port === target.port)) continue;
    if (reaches(scopeOf(target.address), scopeOf(host))) told.set(`${host} ${port}`, { host, port });
  }
  return [...told.values()];
}

function reaches(from: Scope, to: Scope): boolean {
  if (to === 'public') return true;
  if (to === 'loopback') return from === 'loopback';
  return to === 'private' && (from === 'private' || from === 'link-local' || from === 'loopback');
}

/** What a message says: who is new since the last one, and who has left. */
export function exchangeDelta(
  last: readonly PeerAddress[],
  now: readonly PeerAddress[],
): { readonly added: PeerAddress[]; readonly dropped: PeerAddress[] } {
  const key = ({ host, port }: PeerAddress) => `${host} ${port}`;
  const before = new Set(last.map(key));
  const after = new Set(now.map(key));
  return {
    added: now.filter((address) => !before.has(key(address))),
    dropped: last.filter((address) => !after.has(key(address))),
  };
}

/**
 * Which addresses of a peer's message are worth dialling: usable ones that the sender may tell of (`dialable`), each
 * once, at most EXCHANGE_LIMIT; what follows after that many entries is not even looked at.
 *
 * @param sender IP address of the link that sent them.
 */
export function believedPeers(sender: string, addresses: readonly PeerAddress[]): PeerAddress[] {
  const believed = new Map<string, PeerAddress>();
  for (const address of addresses.slice(0, EXCHANGE_LIMIT)) {
    const usable = dialable(address, 'pex', sender);
    if (usable) believed.set(`${usable.host} ${usable.port}`, usable);
  }
  return [...believed.values()];
}

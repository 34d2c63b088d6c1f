/**
 * Which addresses may be dialled, by who told of them. Trackers, nodes of the DHT and peers are strangers: what they say
 * must not make this machine knock at services of its own network, nor at well-known ports of anybody.
 */
import ipaddr from 'ipaddr.js';
import { isPublicAddress } from '../public-address.ts';

export interface PeerAddress {
  /** Canonical IP address without brackets; of configured peers also a name. */
  readonly host: string;
  readonly port: number;
}

/** Where an address is known from: the configuration, a datagram on the local network, or strangers. */
export type Via = 'fixed' | 'lan' | 'tracker' | 'dht' | 'pex';

/** How far away an address can be. `unusable`: nobody can listen there, or it means something special. */
export type Scope = 'loopback' | 'link-local' | 'private' | 'public' | 'unusable';

/** Ports below belong to system services; no peer of this kind listens there unless it is configured by hand. */
export const LEAST_PORT = 1024;

const NEAR: ReadonlySet<Scope> = new Set(['loopback', 'link-local', 'private']);

/** Scope of an IP address in text; IPv4-mapped addresses count as the IPv4 address inside. Names are `unusable`. */
export function scopeOf(ip: string): Scope {
  if (!ipaddr.isValid(ip)) return 'unusable';
  switch (ipaddr.process(ip).range()) {
    case 'loopback':
      return 'loopback';
    case 'linkLocal':
      return 'link-local';
    case 'private':
    case 'uniqueLocal':
    case 'carrierGradeNat':
      return 'private';
    default:
      return isPublicAddress(ip) ? 'public' : 'unusable';
  }
}

/** True for addresses that are not reached through the public Internet. */
export function isNear(ip: string): boolean {
  return NEAR.has(scopeOf(ip));
}

/** True when `ip` is not of the public Internet, or in one of these subnets (`192.0.2.2/24`) of this machine. */
export function isOnLocalNetwork(ip: string, subnets: readonly string[]): boolean {
  if (isNear(ip)) return true;
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  return subnets.some((subnet) => {
    if (!ipaddr.isValidCIDR(subnet)) return false;
    const [network, bits] = ipaddr.parseCIDR(subnet);
    return network.kind() === address.kind() && bits > 0 && address.match(network, bits);
  });
}

/**
 * The address in its one spelling if it may be dialled, else undefined.
 *
 * @param teller IP address of who told of it; undefined when not known, which counts as far away. Only who is near may
 * tell of addresses that are not public, and only this machine of its own loopback addresses. Link-local addresses
 * mean nothing without an interface: they come from the source of a datagram (`lan`) or not at all.
 */
export function dialable(address: PeerAddress, via: Via, teller: string | undefined): PeerAddress | undefined {
  const { host, port } = address;
  if (!Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  if (via === 'fixed') return address;
  if (port < LEAST_PORT) return undefined;
  const scope = scopeOf(host);
  if (scope === 'unusable' || !mayTell(scope, via, teller)) return undefined;
  return { host: canonicalAddress(host), port };
}

function mayTell(scope: Scope, via: Via, teller: string | undefined): boolean {
  if (via === 'lan' || scope === 'public') return true;
  const from = teller === undefined ? 'unusable' : scopeOf(teller);
  if (scope === 'loopback') return from === 'loopback';
  return scope === 'private' && NEAR.has(from);
}

/** One spelling for each address: IPv4 without mapping, IPv6 as in RFC 5952, with its zone if it has one. */
export function canonicalAddress(ip: string): string {
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const zone = address.zoneId;
  return zone === undefined ? address.toRFC5952String() : `${address.toRFC5952String().replace(/%.*$/, '')}%${zone}`;
}

/**
 * Which IP addresses are on the public Internet. A proxy that reaches anything else hands its network to whoever can
 * reach the proxy (SSRF), so everything with a special meaning counts as not public.
 */
import ipaddr from 'ipaddr.js';

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];
/** Well-known NAT64 prefix (RFC 6052): networks without IPv4 reach all of it through these addresses. */
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('64:ff9b::'), 96];

/**
 * True only for globally reachable unicast addresses. IPv4-mapped and NAT64 addresses count as the IPv4 address
 * inside; tunnels (6to4, Teredo) and what is no address at all are never public.
 */
export function isPublicAddress(ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast';
  if (address.match(NAT64)) {
    return new ipaddr.IPv4(address.toByteArray().slice(12)).range() === 'unicast';
  }
  return address.match(GLOBAL_UNICAST) && address.range() === 'unicast';
}

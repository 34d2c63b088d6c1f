/**
 * Which IP addresses are on the public Internet. A proxy that reaches anything else hands its network to whoever can
 * reach the proxy (SSRF), so everything with a special meaning counts as not public.
 */
import ipaddr from 'ipaddr.js';

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];
/** Well-known NAT64 prefix (RFC 6052): networks without IPv4 reach all of it through these addresses. */
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('64:ff9b::'), 96];

/**
 * Documentation networks (RFC 5737). No host of anybody's private network has such an address, so they are nothing to
 * protect; test beds and sandboxes do map the mirrors' names to them.
 */
const DOCUMENTATION: readonly [ipaddr.IPv4, number][] = [
  ipaddr.IPv4.parseCIDR('192.0.2.0/24'),
  ipaddr.IPv4.parseCIDR('198.51.100.0/24'),
  ipaddr.IPv4.parseCIDR('203.0.113.0/24'),
];

/**
 * True only for globally reachable unicast addresses. IPv4-mapped and NAT64 addresses count as the IPv4 address
 * inside; tunnels (6to4, Teredo) and what is no address at all are never public.
 */
export function isPublicAddress(ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return isPublicIpv4(address);
  if (address.match(NAT64)) {
    return isPublicIpv4(new ipaddr.IPv4(address.toByteArray().slice(12)));
  }
  return address.match(GLOBAL_UNICAST) && address.range() === 'unicast';
}

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return address.range() === 'unicast' || DOCUMENTATION.some((network) => address.match(network));
}

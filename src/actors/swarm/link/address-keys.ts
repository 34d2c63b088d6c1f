/** By what a bound counts who is at an address: one machine may have all addresses of a network of 64 bits. */
import ipaddr from 'ipaddr.js';

/** The address, and the network of an IPv6 address. */
export function keysOf(address: string): string[] {
  if (!ipaddr.IPv6.isValid(address)) return [address];
  const groups = ipaddr.IPv6.parse(address).parts.slice(0, 4);
  return [address, `${groups.map((group) => group.toString(16)).join(':')}::/64`];
}

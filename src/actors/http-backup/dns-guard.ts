/**
 * Keeps connections away from addresses that a mirror's name should not lead to. The check is made on the addresses
 * that are then connected to, so a name that changes between check and use (DNS rebinding) gains nothing.
 */
import type { LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import { DebtorrentError } from '../../core/errors.ts';
import { formatAuthority } from '../../core/http/authority.ts';
import type { HostRules } from '../../core/host-rules.ts';
import { isPublicAddress } from '../../core/public-address.ts';
import { Names } from './names.ts';

/** Of this thread. */
const names = new Names();

/**
 * Refuses a host that is off the list, and an address literal that is not public unless it is named.
 * @throws DebtorrentError HOST_NOT_ALLOWED or ADDRESS_NOT_ALLOWED
 */
export function checkHost(rules: HostRules, host: string, port: number, purpose: 'fetch' | 'tunnel' = 'fetch'): void {
  const decision = purpose === 'fetch' ? rules.decide(host, port) : rules.decideTunnel(host, port);
  if (!decision.allowed) {
    throw new DebtorrentError('HOST_NOT_ALLOWED', `${formatAuthority(host, port)} is not an allowed mirror`);
  }
  if (!decision.named && isIP(host) !== 0 && !isPublicAddress(host)) {
    throw new DebtorrentError('ADDRESS_NOT_ALLOWED', `${host} is not a public address and is not named`);
  }
}

/** A `lookup` for net.connect that leaves out addresses the rules do not allow. */
export function guardedLookup(rules: HostRules, port: number): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    const { named } = rules.decide(hostname, port);
    names.lookup(hostname).then(
      (addresses) => {
        const usable = named ? addresses : addresses.filter(({ address }) => isPublicAddress(address));
        const first = usable[0];
        if (first === undefined) {
          const why = `${hostname} has no public address and is not named`;
          callback(new DebtorrentError('ADDRESS_NOT_ALLOWED', why), '');
        } else if (options.all === true) callback(null, usable);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

/** What the daemon is called: requests for these names and addresses are for its own pages. */
import { hostname, networkInterfaces } from 'node:os';

import type { OwnNames } from '../core/http/target.ts';
import { HostsFile } from './hosts-file.ts';

const NAMES_MS = 30_000;

/** Names and addresses of this machine; interfaces come and go, so they are looked at again now and then. */
export function ownNames(port: () => number, listenHost: string, hostsFile = '/etc/hosts'): () => OwnNames {
  const known = new HostsFile(hostsFile);
  let names: OwnNames = { hosts: new Set(), port: 0 };
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - readAt > NAMES_MS || names.port !== port()) {
      readAt = now;
      const name = hostname().toLowerCase();
      const hosts = new Set(['localhost', '127.0.0.1', '::1', name, listenHost, ...known.namesOf(name)]);
      for (const addresses of Object.values(networkInterfaces())) {
        for (const { address } of addresses ?? []) hosts.add(address.replace(/%.*$/, ''));
      }
      names = { hosts, port: port() };
    }
    return names;
  };
}

/** An address by which other machines reach this one; undefined when it has none. */
export function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0);
  return (outer.find(({ family }) => family === 'IPv4') ?? outer[0])?.address;
}

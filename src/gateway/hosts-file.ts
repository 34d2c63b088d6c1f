/** What hosts(5) calls this machine: there stands its name with its domain, which `hostname --fqdn` says too. */
import { readFileSync, statSync } from 'node:fs';

import { canonicalHost } from '../core/http/authority.ts';

/** Lists of advertisers' hosts are about that long; reading one takes some ten milliseconds. */
const MAX_BYTES = 8 << 20;

/** Names and addresses of all lines that have the name `hostname`, in one spelling (authority.ts). */
export function namesInHosts(text: string, hostname: string): string[] {
  const name = canonicalHost(hostname);
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    const all = names.map((each) => canonicalHost(each));
    if (name === undefined || !all.includes(name)) return [];
    return [canonicalHost(address.includes(':') ? `[${address}]` : address), ...all].filter(
      (each) => each !== undefined,
    );
  });
}

/** Reads the file again only when it has changed. One that cannot be read has no names. */
export class HostsFile {
  readonly #path: string;
  #read: { readonly key: string; readonly names: readonly string[] } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  namesOf(hostname: string): readonly string[] {
    try {
      const { size, mtimeMs } = statSync(this.#path);
      if (size > MAX_BYTES) return [];
      const key = `${hostname} ${size} ${mtimeMs}`;
      if (this.#read?.key !== key) {
        this.#read = { key, names: namesInHosts(readFileSync(this.#path, 'utf8'), hostname) };
      }
      return this.#read.names;
    } catch {
      return [];
    }
  }
}

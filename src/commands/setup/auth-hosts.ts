/** The hosts that APT has passwords for (apt_auth.conf(5)). */
import type { AptPaths } from './apt-paths.ts';
import type { RootedFiles } from './rooted-files.ts';

/** `machine [PROTOCOL://]HOST[:PORT][/PATH]`, in the order of netrc: words between blanks. */
const MACHINE = /(?:^|\s)machine\s+(?:[a-z0-9+.-]+:\/\/)?(\[[^\]]*\]|[^\s:/]+)/gi;

export function hostsWithCredentials(files: RootedFiles, paths: AptPaths): ReadonlySet<string> {
  const parts = files.list(paths.authParts).filter((name) => /^[\w-][\w.:-]*\.conf$/.test(name));
  const hosts = new Set<string>();
  for (const path of [paths.auth, ...parts.map((name) => `${paths.authParts}/${name}`)]) {
    const text = files.read(path)?.bytes.toString('latin1') ?? '';
    for (const [, host = ''] of text.matchAll(MACHINE)) hosts.add(host.replaceAll(/[[\]]/g, '').toLowerCase());
  }
  return hosts;
}

/** Mirrors that hold the same files, as --alternate-mirror pairs them. */
import type { MirrorUrl } from '../ids.ts';

/** Two prefixes, each ending in `/`, under which the same paths stand for the same files. */
export type AlternateMirror = readonly [MirrorUrl, MirrorUrl];

/** The other addresses of `url`, in the order of the configuration, without `url` itself and without repeats. */
export function alternatesOf(url: MirrorUrl, pairs: readonly AlternateMirror[]): MirrorUrl[] {
  const found = new Set<MirrorUrl>();
  for (const [one, other] of pairs) {
    if (url.startsWith(one)) found.add((other + url.slice(one.length)) as MirrorUrl);
    else if (url.startsWith(other)) found.add((one + url.slice(other.length)) as MirrorUrl);
  }
  found.delete(url);
  return [...found];
}

/** Files that come with the program. Seen from dist/src/config/ and from dist/program/main/, which is as deep. */
export function installed(path: string): URL {
  return new URL(`../../../${path}`, import.meta.url);
}

/** Where compiled worker modules are: tsc does not rewrite `new URL(…, import.meta.url)`, so it stands here alone. */
export function workerUrl(name: string): URL {
  return new URL(`../workers/${name}.worker.js`, import.meta.url);
}

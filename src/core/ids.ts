/**
 * Branded identifiers: parsed once at the edge, trusted by type inside.
 */
declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** SHA-256 of a whole file, 64 lower-case hexadecimal digits. */
export type Sha256 = Brand<string, 'Sha256'>;

/** BitTorrent info-hash, 20 bytes as 40 lower-case hexadecimal digits (BEP 3). */
export type InfoHash = Brand<string, 'InfoHash'>;

/**
 * Canonical URL of something on a mirror: `http://` or `https://`, lower-case host, no default port,
 * no user information, no fragment, percent-decoded wherever RFC 3986 allows (so `%2b` is `+`, `%7e` is `~`).
 */
export type MirrorUrl = Brand<string, 'MirrorUrl'>;

/** What a transfer is known by: the SHA-256 where it is known in advance, else `url:` and the MirrorUrl. */
export type TransferKey = Brand<string, 'TransferKey'>;

const HEX64 = /^[0-9a-f]{64}$/;

/** Parses 64 hexadecimal digits of either case; undefined for anything else. */
export function parseSha256(text: string): Sha256 | undefined {
  const lower = text.toLowerCase();
  return HEX64.test(lower) ? (lower as Sha256) : undefined;
}

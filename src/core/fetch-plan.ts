/**
 * What is to be fetched, from where, and how far it can be trusted. Made by the gateway (from a request and the
 * catalogue) and by the packages parser (for an index that no client asked for); executed by the transfers actor.
 */
import type { InfoHash, MirrorUrl, Sha256, TransferKey } from './ids.ts';

/**
 * How content is identified.
 * - `signed`: SHA-256 and size come from an index or Release that a trusted key signed.
 * - `hash`: the SHA-256 is part of the name (by-hash), nothing signed says so, the size may be unknown.
 * - `none`: a name only; kept by URL and revalidated with the mirror.
 */
export type Trust = 'signed' | 'hash' | 'none';

export interface FetchPlan {
  /** What the client asked for; the name in logs and the key of unsigned content. */
  readonly url: MirrorUrl;
  /** Other addresses of the same content (by-hash, other mirrors), tried in order when `url` fails. */
  readonly alternates: readonly MirrorUrl[];
  readonly trust: Trust;
  /** Present unless trust is `none`. */
  readonly sha256?: Sha256;
  /** Bytes; always present when trust is `signed`. */
  readonly size?: number;
  /** Torrents that contain the file; empty unless it may be shared with peers. */
  readonly torrents: readonly InfoHash[];
  /**
   * For trust `none`: `always` asks the mirror on every request (metadata, and packages that no index vouches for),
   * `heuristic` keeps it for as long as RFC 9111 section 4.2 allows. Content with a SHA-256 is immutable.
   */
  readonly revalidate: 'immutable' | 'always' | 'heuristic';
  /**
   * What the mirror has now is wanted: caches on the way are to ask it, except for names by-hash. Of metadata they would
   * answer with what was published before; APT asks for it so, too.
   */
  readonly reload?: boolean;
  /** It is fetched before anybody waits for it. */
  readonly ahead?: boolean;
}

export type Identity = Pick<FetchPlan, 'sha256' | 'url'>;

/** What the file is known by: its content, or else its address. */
export function transferKey({ sha256, url }: Identity): TransferKey {
  return (sha256 ?? `url:${url}`) as TransferKey;
}

/** For metadata that nothing signed names, such as a Release itself: the mirror is asked each time. */
export function unsignedMetadataPlan(url: MirrorUrl): FetchPlan {
  return { url, alternates: [], trust: 'none', torrents: [], revalidate: 'always', reload: true };
}

/** Where the bytes of an answer come from, as far as it is known; the value of X-Debtorrent-Source. */
export type SourceLabel = 'cache' | 'peers' | 'mirror' | 'mixed';

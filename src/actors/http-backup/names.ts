/**
 * Addresses of mirrors' names. The C library is asked, since it goes by all that the system is set up for; but Node lets
 * it work on two names at a time, in the whole process, and a name whose servers are silent takes it ten seconds and more:
 * two of these kept every other mirror from being found. So each name is asked for once at a time, and when there is no
 * answer after a moment the name servers are asked as well, for which no thread has to wait.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { promisify } from 'node:util';

/** Where addresses are known. */
export interface NameSources {
  system(host: string): Promise<LookupAddress[]>;
  servers(host: string): Promise<LookupAddress[]>;
}

/** What takes longer may wait for other names, in milliseconds. */
const MOMENT_MS = 500;
const SERVER_MS = 2_000;
const TRIES = 2;

const systemLookup = promisify(dnsLookup);

const SOURCES: NameSources = {
  system: (host) => systemLookup(host, { all: true }),
  async servers(host) {
    const resolver = new Resolver({ timeout: SERVER_MS, tries: TRIES });
    const [six, four] = await Promise.allSettled([resolver.resolve6(host), resolver.resolve4(host)]);
    const of = (result: PromiseSettledResult<string[]>, family: number) =>
      result.status === 'fulfilled' ? result.value.map((address) => ({ address, family })) : [];
    return [...of(six, 6), ...of(four, 4)];
  },
};

export class Names {
  readonly #sources: NameSources;
  readonly #momentMs: number;
  /** What the system has not answered yet. */
  readonly #asked = new Map<string, Promise<LookupAddress[]>>();

  constructor(sources: NameSources = SOURCES, momentMs = MOMENT_MS) {
    this.#sources = sources;
    this.#momentMs = momentMs;
  }

  /** Throws what the system's look-up fails with. */
  lookup(host: string): Promise<LookupAddress[]> {
    return new Promise((resolve, reject) => {
      const later = setTimeout(() => {
        this.#sources.servers(host).then(
          (addresses) => addresses.length > 0 && resolve(addresses),
          () => undefined,
        );
      }, this.#momentMs);
      this.#askSystem(host)
        .then(resolve, reject)
        .finally(() => clearTimeout(later));
    });
  }

  #askSystem(host: string): Promise<LookupAddress[]> {
    let asking = this.#asked.get(host);
    if (asking === undefined) {
      asking = this.#sources.system(host).finally(() => this.#asked.delete(host));
      this.#asked.set(host, asking);
    }
    return asking;
  }
}

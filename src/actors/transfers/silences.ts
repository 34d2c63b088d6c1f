/**
 * Places of a file at which mirrors fell silent. APT gives up after 30 s without a byte: it bears one long silence, not two
 * in a row. So whoever is asked next for what did not come has less time; if it does not come from there either, the one
 * after that has all the time again, as mirrors may be that slow.
 */
import type { RangeJob, RangeOutcome } from '../source.ts';

/** Who says nothing for so long before it fails was silent, in milliseconds. */
const SILENT_MS = 5_000;

export class Silences {
  readonly #places = new Set<number>();

  /** A request has failed after so many bytes. */
  failed({ start, again }: Pick<RangeJob, 'start' | 'again'>, bytes: number, outcome: RangeOutcome): void {
    const { code, silentMs = 0 } = outcome.kind === 'failed' ? outcome : { code: undefined };
    const silent = code === 'MIRROR_TIMEOUT' || silentMs >= SILENT_MS;
    if (silent && again !== true) this.#places.add(start + bytes);
  }

  /** A request for these bytes follows one that fell silent there; this is asked once for each request. */
  follows(start: number, end = Infinity): boolean {
    const places = [...this.#places].filter((place) => start <= place && place < end);
    for (const place of places) this.#places.delete(place);
    return places.length > 0;
  }
}

/**
 * Mirrors give the file only from its beginning, so it is written over what is there. Readers may have that, and the hash
 * of the whole will say nothing of it: what is there is noted, and compared with what comes, block by block.
 */
import type { Logger } from '../../core/logging.ts';
import { Arbitration } from './arbitration.ts';
import type { Content } from './content.ts';

export interface OverwritingDeps {
  readonly content: Content;
  readonly log: Logger;
  /** For the log. */
  readonly url: string;
  /** What readers have is void. */
  voided(): void;
}

export class Overwriting {
  readonly #deps: OverwritingDeps;
  /** What was there each time that writing began from the beginning, as far as it has not come again. */
  #noted: Arbitration[] = [];
  #from = '';

  constructor(deps: OverwritingDeps) {
    this.#deps = deps;
  }

  /**
   * All that is there is to come again; nobody may write before this resolves. Rejects when it cannot be read.
   * @param from who sent it, for the log
   */
  async begin(from: string): Promise<void> {
    const { content } = this.#deps;
    // What nobody can have need not be compared.
    if (content.given) {
      this.#from = from;
      this.#noted.push(await Arbitration.begin(content.path, [], content.have.clone(), []));
    }
    content.setAside();
  }

  /** Bytes came. */
  compare(): void {
    if (this.#noted.length === 0) return;
    const { content } = this.#deps;
    try {
      const differing = this.#noted.flatMap((before) => before.compare(content.have));
      if (content.gave(differing)) this.#differs();
    } catch {
      // What cannot be compared may be anything.
      this.#differs();
    }
  }

  /** All bytes are there, or no more come: what did not come again may not be what readers have. */
  end(): void {
    this.compare();
    if (this.#noted.some(({ ranges }) => ranges.length > 0)) this.#differs();
    this.reset();
  }

  /** All bytes are thrown away, and readers know. */
  reset(): void {
    this.#noted = [];
  }

  #differs(): void {
    this.reset();
    const { url, log, voided } = this.#deps;
    log.warn({ mirror: this.#from, url }, 'what was given out did not come again: it is void');
    voided();
  }
}

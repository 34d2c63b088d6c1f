/**
 * Tells a file that a mirror refuses (503) from one connection more than it lets this machine have, as both look the same
 * at first. The first file that is refused is held back while others go on. When others are refused as well, it is the
 * connections. Else it is asked for again when the mirror serves more at once than it did then, or fewer, or is asked for
 * nothing else, or after a while: if it is refused again, what the mirror says is about the file.
 */

/** What to make of a refusal: the answer counts, the job waits for another place, or there are too many of them. */
export type Refusal = 'answer' | 'wait' | 'connections';

interface Suspect {
  readonly file: string;
  /** Answers that the mirror was sending when it refused this one. */
  readonly serving: number;
  readonly since: number;
  held: boolean;
}

/** So long a file is held back at most, in milliseconds: APT gives up after 30 s. */
const HELD_MS = 20_000;
/** Refused files that are remembered until the mirror serves them, or is not used any more. */
const MOST_REFUSED = 256;

export class RefusedFile {
  /** One entry for each answer that the mirror sends. */
  readonly #serving: string[] = [];
  readonly #known = new Set<string>();
  #suspect: Suspect | undefined;

  /** Nothing of it is asked for now. */
  holds(file: string): boolean {
    const suspect = this.#suspect;
    if (suspect?.file !== file || !suspect.held) return false;
    suspect.held = performance.now() - suspect.since < HELD_MS;
    return suspect.held;
  }

  /** The mirror sends it. */
  served(file: string): void {
    this.#serving.push(file);
    this.#known.delete(file);
    const suspect = this.#suspect;
    if (suspect?.file === file) this.#suspect = undefined;
    else if (suspect !== undefined && this.#serving.length > suspect.serving) suspect.held = false;
  }

  /** An answer that the mirror sent has ended. */
  ended(file: string): void {
    this.#serving.splice(this.#serving.indexOf(file), 1);
    const suspect = this.#suspect;
    if (suspect !== undefined && this.#serving.length < suspect.serving) suspect.held = false;
  }

  /** Nothing else is asked of the mirror: there is nothing to wait for. */
  alone(): void {
    if (this.#suspect !== undefined) this.#suspect.held = false;
  }

  /** @param limited the mirror is known to let this machine have few connections. */
  refused(file: string, limited: boolean): Refusal {
    if (this.#known.has(file)) return 'answer';
    const suspect = this.#suspect;
    if (limited || this.#serving.includes(file) || (suspect !== undefined && suspect.file !== file)) {
      this.#suspect = undefined;
      return 'connections';
    }
    if (suspect === undefined) {
      this.#suspect = { file, serving: this.#serving.length, since: performance.now(), held: true };
      return 'wait';
    }
    // a further range that was asked for together with the first
    if (this.holds(file)) return 'wait';
    this.#suspect = undefined;
    if (this.#known.size >= MOST_REFUSED) this.#known.clear();
    this.#known.add(file);
    return 'answer';
  }
}

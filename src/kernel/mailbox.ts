/** The queue of an actor, first in, first out. It has no bound of its own: the actor counts also what it has taken. */
import type { Ask } from './pending.ts';

export interface Letter {
  readonly kind: string;
  readonly args: readonly unknown[];
  /** Undefined for a tell. */
  readonly ask: Ask | undefined;
}

/** Slots of taken letters that may stand empty at the front before the array is moved up. */
const SLACK = 512;

export class Mailbox {
  #letters: (Letter | undefined)[] = [];
  #head = 0;
  #tells = 0;

  /** Queued letters of both kinds. */
  get length(): number {
    return this.#letters.length - this.#head;
  }

  /** Queued tells. */
  get tells(): number {
    return this.#tells;
  }

  put(letter: Letter): void {
    if (letter.ask === undefined) this.#tells += 1;
    this.#letters.push(letter);
  }

  take(): Letter | undefined {
    const letter = this.#letters[this.#head];
    if (letter === undefined) return undefined;
    this.#letters[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#letters.length) {
      this.#letters.length = 0;
      this.#head = 0;
    } else if (this.#head >= SLACK) {
      this.#letters = this.#letters.slice(this.#head);
      this.#head = 0;
    }
    if (letter.ask === undefined) this.#tells -= 1;
    return letter;
  }
}

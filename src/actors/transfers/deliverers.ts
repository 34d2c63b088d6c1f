/** Who delivered what is there of a file: the mirrors that sent it, and the ones that were asked, who may have redirected. */
import type { MirrorUrl } from '../../core/ids.ts';

export class Deliverers {
  readonly #asked = new Map<MirrorUrl, Set<MirrorUrl>>();

  add(sender: MirrorUrl, asked: MirrorUrl): void {
    const before = this.#asked.get(sender);
    if (before === undefined) this.#asked.set(sender, new Set([asked]));
    else before.add(asked);
  }

  /** What was there is written over. */
  forget(): void {
    this.#asked.clear();
  }

  /** Addresses that are to blame when the whole is wrong: all that led to the one sender, or the only one that was asked. */
  get culprits(): readonly MirrorUrl[] {
    const asked = new Set([...this.#asked.values()].flatMap((each) => [...each]));
    return this.#asked.size === 1 || asked.size === 1 ? [...asked] : [];
  }

  /** For logs. */
  toString(): string {
    return [...this.#asked.keys()].join(', ');
  }
}

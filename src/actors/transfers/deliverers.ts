/** Who delivered what is there of a file: the mirrors that sent it, and the ones that were asked, who may have redirected. */
import type { MirrorUrl } from '../../core/ids.ts';

export class Deliverers {
  readonly #asked = new Map<MirrorUrl, MirrorUrl>();

  add(sender: MirrorUrl, asked: MirrorUrl): void {
    this.#asked.set(sender, asked);
  }

  /** What was there is written over. */
  forget(): void {
    this.#asked.clear();
  }

  get asked(): readonly MirrorUrl[] {
    return [...new Set(this.#asked.values())];
  }

  /** For logs. */
  toString(): string {
    return [...this.#asked.keys()].join(', ');
  }
}

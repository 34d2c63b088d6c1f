/** Request targets that were parsed lately: APT and load balancers ask for the same ones again and again. */
import { parseTarget, type OwnNames, type Target } from '../core/http/target.ts';

const MAX_ENTRIES = 4096;

export class TargetMemo {
  readonly #own: () => OwnNames;
  #names: OwnNames | undefined;
  #targets = new Map<string, Target>();

  constructor(own: () => OwnNames) {
    this.#own = own;
  }

  /** As parseTarget, which it throws like. */
  parse(method: string, target: string, host: string | undefined): Target {
    const own = this.#own();
    if (own !== this.#names || this.#targets.size >= MAX_ENTRIES) {
      this.#names = own;
      this.#targets = new Map();
    }
    // A method cannot hold a space, nor can a target: the three parts cannot run into each other.
    const key = `${method} ${target} ${host ?? ''}`;
    let parsed = this.#targets.get(key);
    if (parsed === undefined) {
      parsed = parseTarget(method, target, host, own);
      this.#targets.set(key, parsed);
    }
    return parsed;
  }
}

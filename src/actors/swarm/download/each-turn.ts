/** What is asked for many times in one turn of the event loop and done once, at its end. */
export class EachTurn {
  readonly #tasks = new Set<() => void>();
  #immediate: NodeJS.Immediate | undefined;

  /** The same function counts once. */
  soon(task: () => void): void {
    this.#tasks.add(task);
    this.#immediate ??= setImmediate(() => this.#run());
  }

  stop(): void {
    this.#tasks.clear();
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  #run(): void {
    this.#immediate = undefined;
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    for (const task of tasks) task();
  }
}

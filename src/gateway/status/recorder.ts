/** Takes a sample for the history every few seconds, and saves its sums every minute and at the end. */
import { asDebtorrentError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logging.ts';
import type { Child } from '../../kernel/supervisor.ts';
import { saveHistory } from './history-file.ts';
import { STEP_MS, type History } from './history.ts';

export interface RecorderDeps {
  readonly history: History;
  /** Where it is saved. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Brings the history up to date; rejects when a part of the daemon does not answer. */
  sample(): Promise<void>;
}

const SAVE_MS = 60_000;
/** What goes on failing is told again after this time, in milliseconds: a disk may stay full for days. */
const WARN_AGAIN_MS = 3_600_000;

export class Recorder {
  readonly #deps: RecorderDeps;
  #timer: { clear(): void } | undefined;
  #working: Promise<void> = Promise.resolve();
  #savedAt: number;
  #savedRequests: number;
  #warnedAt = -Infinity;
  #stopped = false;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    this.#savedAt = deps.clock.now();
    this.#savedRequests = fingerprint(deps.history);
  }

  /** To be stopped after the listeners: what they still serve counts too, as nothing does before its answer has ended. */
  get child(): Child {
    const running = { refs: {}, ended: new Promise<never>(() => undefined), stop: () => this.stop() };
    return { name: 'figures', start: async () => running };
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#deps.clock.setTimeout(() => {
      this.#working = this.#step().finally(() => this.start());
    }, STEP_MS);
  }

  /** Takes the last sample and saves it. To be called while the parts of the daemon still answer; again when more has come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.clear();
    await this.#working;
    await this.#deps.sample().catch(() => undefined);
    await this.#save();
  }

  async #step(): Promise<void> {
    // A part that does not answer now is counted when it does again.
    await this.#deps.sample().catch(() => undefined);
    if (this.#deps.clock.now() - this.#savedAt >= SAVE_MS) await this.#save();
  }

  async #save(): Promise<void> {
    const { history, path, log, clock } = this.#deps;
    this.#savedAt = clock.now();
    const state = fingerprint(history);
    if (state === this.#savedRequests) return;
    try {
      await saveHistory(path, history.toSave());
      this.#savedRequests = state;
      if (this.#warnedAt > -Infinity) log.info({ path }, 'the figures can be saved again');
      this.#warnedAt = -Infinity;
    } catch (error) {
      if (this.#savedAt - this.#warnedAt < WARN_AGAIN_MS) return;
      this.#warnedAt = this.#savedAt;
      log.warn({ path, code: 'STORE_IO', reason: asDebtorrentError(error).message }, 'the figures cannot be saved');
    }
  }
}

/** Changes whenever the sums do: they only grow. */
function fingerprint(history: History): number {
  const { lifetime } = history.toSave();
  return Object.values(lifetime).reduce((sum: number, value: number) => sum + value, 0);
}

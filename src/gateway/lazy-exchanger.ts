/**
 * The HTTP client for what passes by the store, loaded when that is full for the first time: most daemons never need one
 * in this thread (8 MB).
 */
import { closeSync, openSync } from 'node:fs';

import { DebtorrentError } from '../core/errors.ts';
import type { Exchanger, ExchangerDeps } from '../actors/http-backup/exchange.ts';

/** As many files are open at once while a module is loaded, and some for other threads to take meanwhile. */
const SPARE_FILES = 4;

export class LazyExchanger {
  readonly #deps: ExchangerDeps;
  #exchanger: Promise<Exchanger> | undefined;

  constructor(deps: ExchangerDeps) {
    this.#deps = deps;
  }

  /** @throws DebtorrentError OVERLOADED while no more files can be opened. */
  async get(): Promise<Exchanger> {
    if (this.#exchanger === undefined) {
      // Node loads no module again whose file could not be opened once
      requireSpareFiles();
      this.#exchanger = import('../actors/http-backup/exchange.ts').then(({ createExchanger }) =>
        createExchanger(this.#deps),
      );
    }
    return this.#exchanger;
  }

  async close(): Promise<void> {
    const exchanger = await this.#exchanger?.catch(() => undefined);
    await exchanger?.close();
  }
}

function requireSpareFiles(): void {
  const opened: number[] = [];
  try {
    while (opened.length < SPARE_FILES) opened.push(openSync('/dev/null', 'r'));
  } catch (error) {
    throw new DebtorrentError('OVERLOADED', `no connection to a mirror can be opened: ${(error as Error).message}`);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

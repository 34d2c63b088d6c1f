/** The transactions of the APT method that go on: one for each run of APT that fetches at this moment, up to a bound. */
import type { Duplex } from 'node:stream';

import { DebtorrentError } from '../../core/errors.ts';
import { MethodSession, type SessionDeps } from './session.ts';

const MAX_SESSIONS = 256;

export class MethodSessions {
  readonly #deps: SessionDeps;
  readonly #open = new Set<MethodSession>();

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  /** @throws DebtorrentError OVERLOADED */
  open(socket: Duplex, early: Buffer): void {
    if (this.#open.size >= MAX_SESSIONS) throw new DebtorrentError('OVERLOADED', 'too many transactions at once');
    const session = new MethodSession(this.#deps, socket);
    this.#open.add(session);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    session.run(early, () => this.#open.delete(session));
  }

  closeAll(): void {
    for (const session of this.#open) session.close();
  }
}

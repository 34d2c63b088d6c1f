/**
 * Asks a peer whether it is still there. The protocol has no message for that, but every want is answered, also one of
 * a file that nobody can have.
 */
import type { Socket } from 'node:net';

import type { Clock } from '../../../core/clock.ts';
import type { Sha256 } from '../../../core/ids.ts';
import { NUMBERS } from '../../../core/swarm/limits.ts';
import type { FilesMessage } from '../../../core/swarm/messages.ts';
import type { LinkFault } from './link.ts';

export interface PulseDeps {
  readonly socket: Socket;
  readonly clock: Clock;
  /** The link ends when nothing has come for so long. */
  readonly answerMs: number;
  heardAt(): number;
  send(message: FilesMessage): void;
  gone(fault: LinkFault): void;
}

const NOBODYS = '0'.repeat(64) as Sha256;
/** Who was heard so lately is there. */
const FRESH_MS = 2_000;

export class Pulse {
  readonly #deps: PulseDeps;
  /** Numbers of files are counted down here and up by the downloads. */
  #file = NUMBERS;
  #open: { clear(): void } | undefined;

  constructor(deps: PulseDeps) {
    this.#deps = deps;
  }

  /** Nothing happens while an answer is awaited. */
  ask(): void {
    const { socket, clock, answerMs, heardAt, send, gone } = this.#deps;
    const now = clock.now();
    if (this.#open !== undefined || now - heardAt() < FRESH_MS) return;
    this.#file -= 1;
    const waits = socket.writableLength > 0;
    const before = taken(socket);
    this.#open = clock.setTimeout(() => {
      // Who takes what waited before the question may not have come to it, and who is not read from may have answered.
      if (heardAt() > now || socket.isPaused() || (waits && taken(socket) > before)) this.#over();
      else gone({ kind: 'timeout', message: `did not answer within ${answerMs / 1000} s whether it is there` });
    }, answerMs);
    send({ type: 'want', files: [{ file: this.#file, sha256: NOBODYS, size: 1 }] });
  }

  /** The message without answers that are for this one; undefined when nothing is left. */
  rest(message: FilesMessage): FilesMessage | undefined {
    if (message.type !== 'none') return message;
    const files = message.files.filter((file) => file < this.#file);
    if (files.length === message.files.length) return message;
    this.#over();
    return files.length === 0 ? undefined : { type: 'none', files };
  }

  stop(): void {
    this.#open?.clear();
    this.#open = undefined;
  }

  #over(): void {
    if (this.#open === undefined) return;
    this.stop();
    this.#deps.send({ type: 'unwant', files: [this.#file] });
  }
}

/** Bytes that have left for the peer, as far as the system has told. */
function taken(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

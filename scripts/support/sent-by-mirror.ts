/** Reads a mirror's access log from where it was read last. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogEntry, parseAccessLog } from './access-log.ts';

/** nginx logs an answer when it ends or when it notices that its client has gone. */
const LINGER_MS = 300;

export class SentByMirror {
  readonly #path: string;
  #read = 0;

  constructor(accessLog: string) {
    this.#path = accessLog;
  }

  /** What was sent since the last call, in the order in which the answers ended. */
  async since(): Promise<LogEntry[]> {
    await sleep(LINGER_MS);
    const text = await readFile(this.#path, 'latin1').catch(() => '');
    const end = text.lastIndexOf('\n') + 1;
    const entries = parseAccessLog(text.slice(this.#read, end));
    this.#read = end;
    return entries;
  }
}

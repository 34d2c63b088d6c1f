/**
 * What people see while APT downloads. APT shows one item as current, the one that was last said to have started, with
 * the size of its target; any answer ends that. A started item is also a line of its own (`Get:`), so each is said to
 * have started once: when it is done, or before when it is the one that all wait for. In between APT shows a text of
 * ours, which any answer clears as well.
 */
import { formatAptMessage } from '../core/method/apt-message.ts';
import type { DaemonFigures } from '../core/method/control.ts';
import { uriStart } from './answers.ts';

export interface Shown {
  readonly uri: string;
  /** Bytes of the whole file; undefined when unknown or not started. */
  size: number | undefined;
  resumedAt: number;
  /** Its target is being written. */
  begun: boolean;
  /** APT knows. */
  said: boolean;
  /** Bytes that have been written. */
  written(): number;
}

export interface ProgressDeps {
  send(text: string): void;
  now(): number;
  /** Files that are being written. */
  active(): Iterable<Shown>;
  /** Files that APT has asked for and has not got. */
  waiting(): number;
}

/** As often as APT looks, in milliseconds. */
const TICK_MS = 500;
const MIN_STATUS_MS = 100;

export class Progress {
  readonly #deps: ProgressDeps;
  #current: Shown | undefined;
  #done = 0;
  #doneBytes = 0;
  #answeredAt = 0;
  #statusAt = 0;
  #text = '';
  #rate = 0;
  #bytesBefore = 0;
  #tickedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #first: DaemonFigures | undefined;
  #figures: DaemonFigures | undefined;

  constructor(deps: ProgressDeps) {
    this.#deps = deps;
  }

  /** The first bytes of a file are there. */
  began(item: Shown, size: number | undefined, resumedAt: number): void {
    item.size = size;
    item.resumedAt = resumedAt;
    item.begun = true;
    if (this.#deps.waiting() === 1) this.#show(item);
  }

  /** `answer` ends an item; what starts it goes before, if APT has not been told. */
  answered(item: Shown, answer: string, bytes: number | undefined): void {
    if (bytes !== undefined) {
      this.#done += 1;
      this.#doneBytes += bytes;
    }
    const start = bytes !== undefined && !item.said ? uriStart(item.uri, item.size ?? bytes, item.resumedAt) : '';
    this.#current = undefined;
    this.#answeredAt = this.#deps.now();
    this.#text = '';
    this.#deps.send(`${start}${answer}${this.#status(MIN_STATUS_MS)}`);
  }

  figures(figures: DaemonFigures): void {
    this.#first ??= figures;
    this.#figures = figures;
  }

  /** APT waits for something. */
  run(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    if (this.#deps.waiting() === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#measure();
    if (this.#current !== undefined) return;
    // nothing was finished lately: what people wait for is one of those that are being written
    if (this.#deps.now() - this.#answeredAt >= TICK_MS) {
      const next = [...this.#deps.active()].filter(({ begun, said }) => begun && !said).toSorted(byRest)[0];
      if (next !== undefined) {
        this.#show(next);
        return;
      }
    }
    const status = this.#status(0);
    if (status !== '') this.#deps.send(status);
  }

  #show(item: Shown): void {
    this.#current = item;
    item.said = true;
    this.#deps.send(uriStart(item.uri, item.size, item.resumedAt));
  }

  #measure(): void {
    const now = this.#deps.now();
    const bytes = this.#bytes();
    const seconds = (now - this.#tickedAt) / 1000;
    if (this.#tickedAt > 0 && seconds > 0) {
      const rate = Math.max(bytes - this.#bytesBefore, 0) / seconds;
      this.#rate = this.#rate === 0 ? rate : this.#rate * 0.7 + rate * 0.3;
    }
    this.#bytesBefore = bytes;
    this.#tickedAt = now;
  }

  #bytes(): number {
    let bytes = this.#doneBytes;
    for (const item of this.#deps.active()) if (item.begun) bytes += item.written() - item.resumedAt;
    return bytes;
  }

  /** Empty when it was said a moment ago or is the same. */
  #status(minMs: number): string {
    const now = this.#deps.now();
    const waiting = this.#deps.waiting();
    if (waiting === 0 || now - this.#statusAt < minMs) return '';
    const text = statusText(this.#done, this.#done + waiting, this.#rate, this.#first, this.#figures);
    if (text === this.#text) return '';
    this.#text = text;
    this.#statusAt = now;
    return formatAptMessage('102 Status', { Message: text });
  }
}

function byRest(a: Shown, b: Shown): number {
  return (b.size ?? 0) - b.written() - ((a.size ?? 0) - a.written());
}

/** Such as `12 of 420 files, 2 peers, 1.2 MB/s, 34% from peers`. */
function statusText(
  done: number,
  all: number,
  rate: number,
  first: DaemonFigures | undefined,
  now: DaemonFigures | undefined,
): string {
  const parts = [`${done} of ${all} files`];
  if (now !== undefined && now.peers > 0) parts.push(now.peers === 1 ? '1 peer' : `${now.peers} peers`);
  if (rate > 0) parts.push(formatRate(rate));
  if (now !== undefined && first !== undefined) {
    const fromPeers = now.fromPeers - first.fromPeers;
    const fromMirror = now.fromMirror - first.fromMirror;
    if (fromPeers > 0) parts.push(`${Math.round((100 * fromPeers) / (fromPeers + fromMirror))}% from peers`);
  }
  return parts.join(', ');
}

function formatRate(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB/s`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB/s` : `${Math.ceil(bytes / 1e3)} kB/s`;
}

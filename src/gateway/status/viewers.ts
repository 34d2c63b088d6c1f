/**
 * Those who watch the status page. All share one picture a second, made only while somebody watches; each is sent the
 * sections that differ from what it was sent last (server-sent events, HTML Living Standard section 9.2).
 */
import type { ServerResponse } from 'node:http';

import type { Clock } from '../../core/clock.ts';
import { DebtorrentError } from '../../core/errors.ts';

/** Text of sections, by name. */
export type Picture = ReadonlyMap<string, string>;

export interface ViewersDeps {
  readonly clock: Clock;
  /** Rejects when there is nothing to show; the viewers then wait for the next second. */
  picture(): Promise<Picture>;
}

interface Viewer {
  readonly res: ServerResponse;
  /** What it was sent last. */
  readonly sent: Map<string, string>;
  heardAt: number;
}

/** Browser windows; each costs a connection and some sections a second. */
export const MAX_VIEWERS = 32;
const PICTURE_MS = 1_000;
/** A viewer that takes its bytes so slowly misses pictures. */
const MAX_BEHIND_BYTES = 64 * 1024;
/** After so long without news that is said: a page that hears nothing for much longer knows that nobody is there. */
const SILENCE_MS = 15_000;
const RETRY_MS = 3_000;

export class Viewers {
  readonly #deps: ViewersDeps;
  readonly #viewers = new Set<Viewer>();
  #timer: { clear(): void } | undefined;
  #painting = false;
  #closed = false;

  constructor(deps: ViewersDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#viewers.size;
  }

  /** @throws DebtorrentError OVERLOADED when too many watch, STOPPING */
  add(res: ServerResponse): void {
    if (this.#closed) throw new DebtorrentError('STOPPING', 'the daemon is stopping');
    if (this.#viewers.size >= MAX_VIEWERS) {
      throw new DebtorrentError('OVERLOADED', `${MAX_VIEWERS} windows watch this page already`);
    }
    res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' });
    res.write(`retry: ${RETRY_MS}\n\n`);
    const viewer: Viewer = { res, sent: new Map(), heardAt: this.#deps.clock.now() };
    this.#viewers.add(viewer);
    // A window that is closed ends its side; an answer without an end is for nobody who has done so.
    const { socket } = res.req;
    const left = () => res.end();
    if (socket.readableEnded) left();
    else socket.once('end', left);
    res.once('close', () => {
      socket.off('end', left);
      this.#viewers.delete(viewer);
      if (this.#viewers.size > 0) return;
      this.#timer?.clear();
      this.#timer = undefined;
    });
    if (this.#timer === undefined && !this.#painting) void this.#paint();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    for (const { res } of this.#viewers) res.end();
  }

  async #paint(): Promise<void> {
    const { clock, picture } = this.#deps;
    this.#timer = undefined;
    this.#painting = true;
    const sections = await picture().catch((): Picture => new Map());
    this.#painting = false;
    for (const viewer of this.#viewers) this.#send(viewer, sections);
    if (this.#closed || this.#viewers.size === 0) return;
    this.#timer = clock.setTimeout(() => void this.#paint(), PICTURE_MS);
  }

  #send(viewer: Viewer, sections: Picture): void {
    const { res, sent } = viewer;
    if (res.writableLength > MAX_BEHIND_BYTES) return;
    const now = this.#deps.clock.now();
    const news = [...sections].filter(([name, text]) => sent.get(name) !== text);
    if (news.length === 0 && now - viewer.heardAt < SILENCE_MS) return;
    for (const [name, text] of news) sent.set(name, text);
    // JSON has no line ends of its own, so that it is one data line. Scripts are not told of comments, but of no news.
    res.write(`data: ${JSON.stringify(Object.fromEntries(news))}\n\n`);
    viewer.heardAt = now;
  }
}

/** Shows something again and again until a signal comes or nobody reads any more. */
import { once } from 'node:events';

import { asDebtorrentError } from '../../core/errors.ts';

export interface WatchOptions {
  readonly out: NodeJS.WriteStream;
  readonly first: string;
  /** In place of what was shown before, on a terminal; else one after the other. */
  readonly redraw: boolean;
  show(): Promise<string>;
}

const EVERY_MS = 1_000;

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR = '\x1b[H\x1b[2J';
/** To the first place, and what is left of the old view away afterwards: a screen that is cleared first flickers. */
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_REST = '\x1b[J';

/** Resolves when a signal has come, or the reader has gone. A daemon that is away for a while is waited for. */
export async function watch({ out, first, redraw, show }: WatchOptions): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  const gone = (): void => end();
  process.once('SIGINT', end).once('SIGTERM', end);
  // who pipes into `head` closes the pipe: that is no error
  out.on('error', gone);
  try {
    if (redraw) out.write(HIDE_CURSOR + CLEAR);
    for (let text = first; !ended.signal.aborted; text = await show().catch(trouble)) {
      const drained = out.write(redraw ? HOME + text.replaceAll('\n', `${CLEAR_LINE}\n`) + CLEAR_REST : text);
      if (!drained) await once(out, 'drain', { signal: ended.signal }).catch(() => undefined);
      await pause(ended.signal);
    }
  } finally {
    if (redraw) out.write(SHOW_CURSOR);
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function trouble(error: unknown): string {
  return `${asDebtorrentError(error).message}; trying again\n`;
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, EVERY_MS);
    signal.addEventListener('abort', done);
  });
}

/** What is seen while a load runs: a few lines that renew themselves on a terminal, else a line now and then. */
import { createLogUpdate } from 'log-update';
import type { Progress } from '../run.ts';
import { bytes, count, milliseconds } from './units.ts';

const LINE_EVERY_MS = 5000;
/** Of the bars of throughput. */
const WIDTH = 60;
const BARS = '▁▂▃▄▅▆▇█';

export interface ProgressView {
  show(progress: Progress): void;
  /** Leaves the last state, so that what follows begins on a line of its own. */
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream): ProgressView {
  if (stream.isTTY) {
    const update = createLogUpdate(stream);
    return { show: (progress) => update(describe(progress).join('\n')), end: () => update.done() };
  }
  let shownAt = 0;
  return {
    show(progress) {
      if (progress.elapsedMs < shownAt) shownAt = 0; // the next target
      if (progress.elapsedMs - shownAt < LINE_EVERY_MS) return;
      shownAt = progress.elapsedMs;
      stream.write(`${describe(progress)[0]}\n`);
    },
    end: () => undefined,
  };
}

export function describe({ target, timeline, elapsedMs }: Progress): string[] {
  const all = timeline.seconds();
  const last = all.findLast(({ files }) => files > 0);
  const { total, peak, active } = timeline;
  const head =
    `${target}  ${Math.floor(elapsedMs / 1000)} s  ${active} clients  ${count(total.files)} files  ` +
    `${bytes(total.bytes)}  ${bytes(last?.bytes ?? 0)}/s  first byte p50 ${milliseconds(last?.p50)} ` +
    `p99 ${milliseconds(last?.p99)}  errors ${total.errors}  memory ${bytes(peak.resident || null)}`;
  const recent = all.slice(-WIDTH).map((second) => second.bytes);
  const most = Math.max(...recent, 1);
  const bar = recent.map((value) => BARS[Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length))]).join('');
  return [head, `bytes a second  ${bar}`];
}

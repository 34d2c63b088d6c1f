/** Waits for other programs to leave the processors alone, so that a measurement is of what is measured. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** The wait ends when this share of all processors has been idle for SAMPLE_MS. */
const IDLE_SHARE = 0.8;
const SAMPLE_MS = 300;
/** Seconds; BENCH_WAIT sets it, for machines that are busy with other things. */
const LONGEST_S = 3;

/** Resolves when the machine is quiet, or after LONGEST_S all the same. */
export async function quiet(): Promise<void> {
  const deadline = performance.now() + Number(process.env['BENCH_WAIT'] ?? LONGEST_S) * 1000;
  let before = await processorTimes();
  while (performance.now() < deadline) {
    await sleep(SAMPLE_MS);
    const now = await processorTimes();
    if (now.idle - before.idle >= IDLE_SHARE * (now.total - before.total)) return;
    before = now;
  }
}

/** In clock ticks, all processors together; waiting for the disk counts as idle. */
async function processorTimes(): Promise<{ idle: number; total: number }> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const times = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: (times[3] ?? 0) + (times[4] ?? 0), total: times.reduce((sum, time) => sum + time, 0) };
}

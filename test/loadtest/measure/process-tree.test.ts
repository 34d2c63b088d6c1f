import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ProcessorTime, costOf } from '../../../scripts/loadtest/measure/process-tree.ts';

t.test('memory and processor time of a tree are added up, of nobody else', (t) => {
  const proc = mkdtempSync(join(tmpdir(), 'dt-proc-'));
  t.teardown(() => rmSync(proc, { recursive: true }));
  const add = (pid: number, parent: number, pages: number): void => {
    mkdirSync(join(proc, String(pid)));
    const fields = ['S', parent, ...new Array<number>(9).fill(0), 100, 50, 30, 20, 20, 0, 1, 0, 0, 4096, pages, 0];
    writeFileSync(join(proc, String(pid), 'stat'), `${pid} (a) b (c) ${fields.join(' ')}\n`);
    writeFileSync(join(proc, String(pid), 'smaps_rollup'), `Rss: 8 kB\nPss:     ${pages} kB\n`);
  };
  add(1, 0, 1000);
  add(10, 1, 10);
  add(11, 10, 20);
  add(12, 11, 30);
  add(13, 1, 1000);
  const cpuSeconds = new Map([[10, 6]]);
  t.same(costOf([10], proc), { resident: 60 * 4096, proportional: 60 * 1024, cpuSeconds, processes: 3 });
  t.same(
    [...costOf([10, 13], proc).cpuSeconds],
    [
      [10, 6],
      [13, 2],
    ],
  );
  rmSync(join(proc, '12/smaps_rollup'));
  t.match(costOf([10], proc), { proportional: undefined, resident: 60 * 4096 });
  t.end();
});

t.test('a real process with a child, and after its end', async (t) => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo; wait'], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(child.stdout, 'data');
  const { pid = 0 } = child;
  t.match(costOf([pid]), { processes: 2 });
  t.ok(costOf([pid]).resident > 0);
  process.kill(-pid, 'SIGKILL');
  await once(child, 'exit');
  t.match(costOf([pid]), { processes: 0, resident: 0 });
});

t.test('processor time of what was restarted stays counted', (t) => {
  const cost = (...cpuSeconds: readonly (readonly [number, number])[]) => {
    return { resident: 0, proportional: 0, processes: 1, cpuSeconds: new Map(cpuSeconds) };
  };
  const processor = new ProcessorTime();
  t.equal(processor.seen(cost([10, 5], [11, 1])), 6);
  t.equal(processor.seen(cost([10, 7], [11, 1])), 8);
  t.equal(processor.seen(cost([10, 0], [11, 1])), 8, 'while it is gone');
  t.equal(processor.seen(cost([12, 0.5], [11, 2])), 9.5, 'and when another runs in its place');
  t.end();
});

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import fc from 'fast-check';
import t from 'tap';

import { ReadyMark } from '../../src/core/ready-mark.ts';

const bytes = fc.nat(2 ** 40);

t.test('it never says more than is there, less by a KiB at most, and never takes anything back', (t) => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1 }), (ends) => {
      const mark = new ReadyMark();
      const reader = new ReadyMark(mark.memory);
      for (const [i, end] of ends.entries()) {
        mark.advance(end);
        const most = Math.max(...ends.slice(0, i + 1));
        if (reader.end > most || reader.end <= most - 1024) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('when all is there the end counts too; what is void stays so', (t) => {
  const mark = new ReadyMark();
  mark.advance(5000);
  t.equal(mark.end, 4096);
  mark.complete(5000);
  t.ok(mark.end >= 5000);
  mark.void();
  t.equal(mark.end, 0);
  mark.complete(9000);
  t.equal(mark.end, 0);
  t.ok(mark.isVoid);
  t.end();
});

t.test('a thread that waits wakes when it moves, and otherwise in time', async (t) => {
  const mark = new ReadyMark();
  mark.wait(0, 10);
  const url = new URL('../../src/core/ready-mark.js', import.meta.url).href;
  const code = `const { workerData, parentPort } = await import('node:worker_threads');
    const { ReadyMark } = await import(${JSON.stringify(url)});
    const mark = new ReadyMark(workerData);
    parentPort.postMessage('waiting');
    mark.wait(0, 60000);
    parentPort.postMessage(mark.end);`;
  const source = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(source, { workerData: mark.memory });
  t.teardown(() => worker.terminate());
  const said: unknown[] = [];
  const woken = new Promise<void>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message) => {
      said.push(message);
      if (said.length === 2) resolve();
    });
  });
  while (said.length === 0) await sleep(5);
  mark.advance(2048);
  await woken;
  t.strictSame(said, ['waiting', 2048]);
});

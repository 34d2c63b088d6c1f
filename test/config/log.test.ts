import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../support/process.ts';

const FIXTURE = fileURLToPath(new URL('./fixtures/log-and-end.js', import.meta.url));
const logged = async (...args: string[]) => (await run(process.execPath, [FIXTURE, ...args])).output.trim().split('\n');

t.test('JSON: one object a line, with level and time by name', async (t) => {
  const lines = (await logged('json', 'info', 'flush')).map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(lines, [
    { level: 'info', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, path: '/x', bytes: 5, msg: 'served' },
    { level: 'error', err: { message: 'broken' }, msg: 'failed' },
  ]);
  t.equal(lines.length, 2, 'debug is not wanted');
});

t.test('nothing that was logged is lost, however the process ends', async (t) => {
  for (const end of ['', 'flush', 'exit', 'throw']) {
    const lines = await logged('json', 'debug', end);
    t.equal(lines.filter((line) => line.includes('"detail"')).length, 1000, end || 'by itself');
    t.ok(lines.some((line) => line.includes('"failed"')));
  }
});

t.test('pretty lines are for people, one for each record without a stack', async (t) => {
  const lines = await logged('pretty', 'info', 'exit');
  t.match(lines[0], /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: served .*"path":"\/x".*"bytes":5/);
  t.match(lines[1], /ERROR: failed/);
});

t.test('standard output is left alone', async (t) => {
  t.equal((await run(process.execPath, [FIXTURE, 'json', 'info', 'flush'])).stdout, '');
});

t.test('a log that cannot be written, as on a full disk, keeps no process from its work and its end', async (t) => {
  const onFullDisk = ['-c', 'exec "$@" 2>/dev/full', 'sh', process.execPath, FIXTURE];
  const ends: readonly [string, number][] = [
    ['by itself', 0],
    ['later', 0],
    ['flush', 0],
    ['exit', 3],
    ['throw', 1],
  ];
  for (const format of ['json', 'pretty']) {
    for (const [end, code] of ends) {
      const ended = await run('/bin/sh', [...onFullDisk, format, 'debug', end], { timeoutMs: 60_000 });
      t.equal(ended.code, code, `${format} ${end}`);
    }
  }
});

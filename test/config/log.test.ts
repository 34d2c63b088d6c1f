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

t.test('nothing that somebody else said steers a terminal', async (t) => {
  const said = 'a\u001b[2Jb\u009b31m\u007f\u202e\n[00:00:00.000] INFO: \udb40\udc01"\\b';
  const records = (await logged('json', 'info', 'flush', said)).map((line) => {
    t.match(line, /^[\x20-\x7e]+$/);
    return JSON.parse(line) as Record<string, unknown>;
  });
  t.match(records.slice(2), [
    { url: said, deep: { [said]: said }, msg: said },
    { err: { message: said, stack: String }, msg: 'failed' },
  ]);
  const pretty = await logged('pretty', 'info', 'exit', said);
  for (const line of pretty) t.match(line, /^[\x20-\x7e]*$/);
  const whole = pretty.filter((line) => line.includes(String.raw`a\u001b[2Jb\u009b31m\u007f\u202e`));
  t.ok(whole.length >= 2, 'record and stack say what it was');
  t.equal(pretty.filter((line) => /^\S/.test(line)).length, 4, 'nor does it make records of its own');
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

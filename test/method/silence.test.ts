/** A daemon that says nothing more, as one that is stopped or whose network is gone: APT never waits for ever. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { partialSize } from '../../src/method/target-file.ts';
import { skipWithoutApt, sleep, until } from '../support/process.ts';
import { Scene } from '../support/scene.ts';
import { installInterrupted } from './fixtures/interrupted.ts';
import { stage } from './fixtures/stage.ts';

t.setTimeout(600_000);
// They wait for limits of APT's settings most of the time.
t.jobs = 5;

const data = Buffer.alloc(50_000, 'a package, more or less. ');
const expected = {
  'Expected-SHA256': createHash('sha256').update(data).digest('hex'),
  'Expected-Checksum-FileSize': data.length,
};
const paths = Array.from({ length: 3 }, (_, n) => `/mirror.example/debian/pool/${n}.deb`);

async function silentStage(t: Test, timeout: number) {
  const { directory, ...rest } = await stage(t, { 'Acquire::debtorrent::Timeout': String(timeout) });
  const targetOf = (path: string): string => join(directory, path.replaceAll('/', '_'));
  const ask = (path: string): void =>
    rest.method.acquire({ URI: rest.daemon.uri(path), Filename: targetOf(path), ...expected });
  return { ...rest, ask, targetOf };
}

t.test('silent on everything: files come from the mirror, with one warning', { buffered: true }, async (t) => {
  const { daemon, method, ask } = await silentStage(t, 1);
  daemon.control = () => undefined;
  for (const path of ['/healthz', ...paths]) daemon.answer(path, () => undefined);
  for (const path of paths) ask(path);
  for (const path of paths) {
    const moved = await method.answer(daemon.uri(path));
    t.equal(moved.get('New-URI'), path.replace('/', 'http://'));
  }
  t.equal(method.said.filter(({ code }) => code === 104).length, 1, 'one warning');
  t.same(daemon.requests, [], 'nothing else was waited for');
});

t.test('silent on the control connection alone: files are asked for all the same', { buffered: true }, async (t) => {
  const { daemon, method, ask } = await silentStage(t, 3);
  daemon.control = () => undefined;
  for (const path of paths) daemon.serve(path, data);
  for (const path of paths) ask(path);
  for (const path of paths) t.equal((await method.answer(daemon.uri(path))).code, 201);
  t.notOk(method.said.some(({ code }) => code === 104));
});

t.test('a daemon that has nothing to say is none that is silent', { buffered: true }, async (t) => {
  const { daemon, method, ask } = await silentStage(t, 3);
  const [first = '', waiting = '', last = ''] = paths;
  for (const path of paths) daemon.serve(path, data);
  ask(first);
  t.equal((await method.answer(daemon.uri(first))).code, 201);
  await sleep(4_000);
  daemon.wanted = () => undefined;
  ask(waiting);
  await until('the second is announced on the same connection', () => daemon.wants.length === 2);
  // longer than the limit, with a word now and then as a daemon has while a mirror is slow
  for (let n = 0; n < 8; n++) {
    daemon.tell({});
    await sleep(500);
  }
  ask(last);
  await until('so is the third', () => daemon.wants.length === 3);
  daemon.tell({ ready: daemon.wants.map(({ id }) => id) });
  for (const path of [waiting, last]) t.equal((await method.answer(daemon.uri(path))).code, 201);
});

t.test('the method itself stood still, as after Ctrl-Z: what came meanwhile counts', { buffered: true }, async (t) => {
  const { daemon, method, ask, targetOf } = await silentStage(t, 3);
  const [path = ''] = paths;
  let held: ServerResponse | undefined;
  daemon.answer(path, (_, res) => {
    res.writeHead(200, { 'Content-Length': data.length });
    res.write(data.subarray(0, 20_000));
    held = res;
  });
  ask(path);
  await until('a part has been written', () => partialSize(targetOf(path)) === 20_000);
  method.child.kill('SIGSTOP');
  const status = `/proc/${method.child.pid ?? 0}/status`;
  await until('it stands still', () => readFileSync(status, 'utf8').includes('State:\tT'));
  held?.end(data.subarray(20_000));
  await sleep(4_500);
  method.child.kill('SIGCONT');
  const answer = await method.answer(daemon.uri(path));
  t.equal(answer.code, 201, answer.get('Message') ?? '');
  t.equal(daemon.requests.length, 1, 'nothing was asked for again');
});

// Not beside the others: while an archive is made, nobody here answers them.
t.test(
  'the daemon is stopped in the middle: APT gets the rest from the mirror',
  { skip: skipWithoutApt },
  async (t) => {
    const names = Array.from({ length: 20 }, (_, n) => `pkg${n}`);
    const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name })) } });
    const apt = scene.apt('method', { conf: ['Acquire::debtorrent::Timeout "3";'] });
    await installInterrupted(t, scene, apt, names, ({ ready }) => process.kill(ready.pid, 'SIGSTOP'));
  },
);

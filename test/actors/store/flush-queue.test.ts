/** When finished files are flushed: not while those who download need the disk, and yet in bounded time. */
import { openSync } from 'node:fs';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { FlushQueue } from '../../../src/actors/store/flush-queue.ts';
import { until } from '../../kernel/contract.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { temporaryDirectory } from '../fixtures/fetch-stack.ts';

async function setUp(t: Test) {
  const path = join(await temporaryDirectory(t), 'file');
  const clock = new ManualClock();
  const queue = new FlushQueue(clock);
  const flushed: string[] = [];
  const add = (name: string, { size = 1000, urgent = false, asked = true } = {}) => {
    if (asked) queue.rush();
    const done = queue.flush(() => openSync(path, 'a'), size, urgent);
    void done.then(() => flushed.push(name));
  };
  const addMany = (count: number, name = 'file') => {
    for (let n = 0; n < count; n++) add(`${name} ${n}`);
  };
  /** In steps, so that flushes that have begun can end. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { queue, flushed, add, addMany, pass };
}

t.test('a file alone is flushed after 100 ms', async (t) => {
  const { queue, flushed, add, pass } = await setUp(t);
  add('alone');
  await pass(50);
  t.strictSame(flushed, []);
  t.match({ files: queue.files, bytes: queue.bytes }, { files: 1, bytes: 1000 });
  await pass(50);
  await until(() => flushed.length === 1);
  t.match({ files: queue.files, bytes: queue.bytes }, { files: 0, bytes: 0 });
});

t.test('what a rush leaves waits for a second in which nothing is asked for and nothing comes', async (t) => {
  const { queue, flushed, add, addMany, pass } = await setUp(t);
  addMany(100);
  await pass(900);
  queue.rush();
  await pass(900);
  add('the last one', { asked: false });
  await pass(900);
  t.strictSame(flushed, []);
  await pass(200);
  await until(() => flushed.length === 101);
  // Two are flushed at a time, and end in any order.
  t.ok(flushed.slice(-2).includes('the last one'));
});

t.test('a rush that goes on delays a file by ten seconds at most', async (t) => {
  const { queue, flushed, addMany, pass } = await setUp(t);
  addMany(20);
  for (let second = 0; second < 9; second++) {
    queue.rush();
    await pass(900);
  }
  addMany(20, 'later');
  for (let tenth = 0; tenth < 18; tenth++) {
    queue.rush();
    await pass(100);
  }
  t.strictSame(flushed, []);
  queue.rush();
  await pass(300);
  await until(() => flushed.length === 20);
  t.notOk(flushed.some((name) => name.startsWith('later')));
});

t.test('so many files, or bytes, do not wait for the end of the rush', async (t) => {
  const many = await setUp(t);
  many.addMany(512);
  await many.pass(100);
  t.strictSame(many.flushed, []);
  many.addMany(100, 'more');
  await until(() => many.flushed.length === 100);
  t.equal(many.queue.files, 512);

  const large = await setUp(t);
  large.add('large', { size: 256 * 1024 * 1024 });
  large.add('small');
  await until(() => large.flushed.length === 1);
  t.strictSame(large.flushed, ['large']);
});

t.test('what is urgent goes first and at once', async (t) => {
  const { flushed, add, addMany } = await setUp(t);
  addMany(30);
  add('urgent', { urgent: true });
  await until(() => flushed.length === 1);
  t.strictSame(flushed, ['urgent']);
});

t.test('when it closes nothing waits any more', async (t) => {
  const { queue, flushed, add, addMany } = await setUp(t);
  addMany(30);
  queue.close();
  await until(() => flushed.length === 30);
  add('after');
  await until(() => flushed.length === 31);
});

t.test('a file that cannot be opened is the trouble of whoever has handed it over', async (t) => {
  const { queue, flushed, add, pass } = await setUp(t);
  const broken = queue.flush(
    () => {
      throw new Error('gone');
    },
    1000,
    false,
  );
  const failure = t.rejects(broken, { message: 'gone' });
  add('the next one');
  await pass(100);
  await failure;
  await until(() => flushed.length === 1);
  t.equal(queue.files, 0);
});

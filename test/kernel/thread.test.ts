import t from 'tap';
import type { Test } from 'tap';

import type { ErrorCode } from '../../src/core/errors.ts';
import type { ActorRef } from '../../src/kernel/protocol.ts';
import type { Thread, ThreadOptions } from '../../src/kernel/thread.ts';
import { loadThread, runThread, startThread } from '../../src/kernel/thread.ts';
import { workerUrl } from '../../src/kernel/worker-url.ts';
import { rejectsWith, until } from './contract.ts';
import { Recorder } from './fixtures/recorder.ts';
import type { Start, Trouble } from './fixtures/trouble.ts';

interface Scene {
  readonly thread: Thread;
  readonly ref: ActorRef<Trouble>;
  readonly log: Recorder;
}

const url = new URL('./fixtures/trouble.worker.js', import.meta.url);

async function scene(tt: Test, options: Partial<ThreadOptions> = {}): Promise<Scene> {
  const log = new Recorder();
  const thread = await startThread({ name: 'trouble-thread', url, boot: 'well' satisfies Start, log, ...options });
  tt.teardown(() => thread.stop());
  return { thread, ref: thread.ref<Trouble>('trouble'), log };
}

/** Two asks that only the end of the thread can settle. */
function pendingOn(ref: ActorRef<Trouble>): () => Promise<unknown[]> {
  const patient = ref.within(2 ** 31 - 1);
  const settled = Promise.allSettled([patient.ask('never'), patient.ask('never')]);
  return async () => (await settled).map((one) => (one.status === 'rejected' ? one.reason.code : one.value));
}

/** Resolves when the thread is blocked, with what unblocks it. */
async function block(ref: ActorRef<Trouble>): Promise<() => void> {
  const gate = new SharedArrayBuffer(8);
  const flags = new Int32Array(gate);
  ref.tell('block', gate);
  await until(() => Atomics.load(flags, 1) === 1);
  return () => {
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
  };
}

t.test('whatever ends a thread, nothing stays pending and it says why', async (tt) => {
  const deaths: [string, (ref: ActorRef<Trouble>) => void, { code: number; message: RegExp }][] = [
    ['process.exit(3)', (ref) => ref.ask('exit', 3).catch(() => undefined), { code: 3, message: /with code 3/ }],
    ['an uncaught exception', (ref) => ref.tell('throwUncaught'), { code: 1, message: /uncaught/ }],
    ['an unhandled rejection', (ref) => ref.tell('rejectUnhandled'), { code: 1, message: /unhandled/ }],
  ];
  for (const [how, kill, { code, message }] of deaths) {
    tt.test(how, async (ttt) => {
      const { thread, ref, log } = await scene(ttt);
      const settled = pendingOn(ref);
      kill(ref);
      ttt.strictSame(await settled(), ['ACTOR_STOPPED', 'ACTOR_STOPPED']);
      ttt.match(await thread.ended, { code, error: { message } });
      ttt.equal(ref.tell('bump'), false);
      await rejectsWith(ttt, ref.ask('hello'), 'ACTOR_STOPPED');
      ttt.equal(log.of('thread failed').length, 1);
      await thread.stop();
    });
  }

  tt.test('no more memory', async (ttt) => {
    const { thread, ref } = await scene(ttt, { resourceLimits: { maxOldGenerationSizeMb: 16 } });
    const settled = pendingOn(ref);
    await rejectsWith(ttt, ref.within(60_000).ask('fillMemory'), 'ACTOR_STOPPED');
    ttt.strictSame(await settled(), ['ACTOR_STOPPED', 'ACTOR_STOPPED']);
    ttt.match((await thread.ended).error, { code: 'ERR_WORKER_OUT_OF_MEMORY' });
  });

  tt.test('process.exit(0) is no failure but an end', async (ttt) => {
    const { thread, ref } = await scene(ttt);
    await rejectsWith(ttt, ref.ask('exit', 0), 'ACTOR_STOPPED');
    ttt.strictSame(await thread.ended, { code: 0 });
  });

  tt.test('a thread that is too busy to stop is terminated', async (ttt) => {
    const { thread, ref, log } = await scene(ttt, { graceMs: 30 });
    const settled = pendingOn(ref);
    await block(ref);
    await thread.stop();
    ttt.strictSame(await settled(), ['ACTOR_STOPPED', 'ACTOR_STOPPED']);
    ttt.equal(log.of('thread did not stop in time and is terminated').length, 1);
  });

  tt.test('a thread that something keeps alive after its actors have stopped is terminated', async (ttt) => {
    const { thread, ref, log } = await scene(ttt);
    await ref.ask('lingerFor', 600_000);
    await thread.stop();
    ttt.equal(log.of('something kept the thread alive after stop').length, 1);
  });
});

t.test('stop lets the worker stop its own actors, the last one first, and end by itself', async (tt) => {
  const { thread, ref, log } = await scene(tt);
  ref.tell('slowStop', 20);
  tt.equal(await ref.ask('hello'), 'hello');
  await Promise.all([thread.stop(), thread.stop()]);
  tt.strictSame(await thread.ended, { code: 0 });
  const said = log.entries.map(({ message }) => message);
  tt.strictSame(said, ['thread stops', 'other stopped', 'trouble stopped']);
});

t.test('a worker that cannot start is an error of startThread', async (tt) => {
  const failures: [Start, ErrorCode, RegExp][] = [
    ['throws', 'ACTOR_FAILED', /setup is broken/],
    ['refuses', 'STORE_IO', /^no such directory$/],
    ['exits', 'ACTOR_FAILED', /did not start: it ended with code 0/],
  ];
  for (const [boot, code, message] of failures) {
    await rejectsWith(tt, scene(tt, { boot }), code, message);
  }
  await rejectsWith(tt, scene(tt, { boot: 'never', startMs: 200 }), 'ASK_TIMEOUT', /did not start within 200 ms/);
  const missing = new URL('./fixtures/missing.worker.js', import.meta.url);
  await rejectsWith(tt, scene(tt, { url: missing }), 'ACTOR_FAILED', /did not start: .*missing.worker/);
  await tt.rejects(scene(tt, { boot: () => 1 }), { name: 'DataCloneError' });
});

t.test('a thread that loads makes its actors when it is told to start, or is discarded', async (tt) => {
  const log = new Recorder();
  const options = { name: 'trouble-thread', url, log };
  const refuses = loadThread({ ...options, boot: 'refuses' satisfies Start });
  const unused = loadThread({ ...options, boot: 'throws' satisfies Start });
  const thread = await loadThread({ ...options, boot: 'well' satisfies Start }).start();
  tt.equal(await thread.ref<Trouble>('trouble').ask('hello'), 'hello');
  await unused.discard();
  tt.strictSame(log.of('thread failed'), [], 'no setup has run');
  await rejectsWith(tt, refuses.start(), 'STORE_IO');
  tt.strictSame(log.of('thread failed'), [], 'whoever started it was told');
  await rejectsWith(tt, loadThread({ ...options, boot: 'throws' satisfies Start }).start(), 'ACTOR_FAILED');
  tt.equal(log.of('thread failed').length, 1, 'a fault is logged with its stack');
  await thread.stop();
});

t.test('what cannot cross threads is refused and does no harm', async (tt) => {
  const { ref, log } = await scene(tt);
  for (const value of [() => 1, ref, { ref }, Promise.resolve()]) {
    const untyped = ref as unknown as ActorRef<{ takeAnything(value: unknown): boolean }>;
    await rejectsWith(tt, untyped.ask('takeAnything', value), 'INTERNAL', /cannot cross threads/);
  }
  const told = ref as unknown as ActorRef<{ bump(value: unknown): void }>;
  tt.equal(ref.tell('bump'), true);
  tt.equal(
    told.tell('bump', () => 1),
    true,
  );
  tt.equal(ref.tell('bump'), true, 'others of the same turn arrive');
  await until(() => log.of('message could not be sent').length === 1);
  await rejectsWith(tt, ref.ask('functionAsReply'), 'INTERNAL', /cannot cross threads/);
  for (let n = 0; n < 20; n += 1) tt.equal(await ref.ask('hello'), 'hello');
  tt.equal(await ref.ask('count'), 2);
});

t.test('messages to a thread that is blocked are bounded, also after their deadline', async (tt) => {
  const { ref } = await scene(tt);
  const open = await block(ref);
  const early = Array.from({ length: 7 }, () => ref.within(20).ask('hello'));
  for (const ask of early) await rejectsWith(tt, ask, 'ASK_TIMEOUT');
  await rejectsWith(tt, ref.ask('hello'), 'MAILBOX_FULL');
  tt.equal(ref.tell('bump'), false);
  open();
  await until(() => ref.tell('bump'));
  await until(async () => (await ref.ask('count').catch(() => 0)) === 1);
});

t.test('records of a worker reach the log, with the codes of errors', async (tt) => {
  const { ref, log } = await scene(tt);
  await ref.ask('logOdd');
  await until(() => log.of('with a function').length === 1);
  tt.match(log.of('with an error')[0], {
    level: 'warn',
    fields: { thread: 'trouble-thread', err: { code: 'HASH_MISMATCH', message: 'differs' } },
  });
  tt.match(log.of('with a function')[0], { fields: { fields_left_out: true } });
});

t.test('a flood of records is cut, counted and over when the log has caught up', async (tt) => {
  const { ref, log } = await scene(tt);
  await ref.ask('log', 5000);
  await until(() => log.of('record').length >= 1000);
  tt.equal(log.of('record').length, 1000);
  await until(async () => {
    await ref.ask('log', 1);
    return log.of('record').some(({ fields }) => fields['records_left_out'] !== undefined);
  });
  const left = log.of('record').reduce((sum, { fields }) => sum + Number(fields['records_left_out'] ?? 0), 0);
  tt.ok(left >= 4000 && left < 5000, `${left} records were left out`);
});

t.test('actors are found by name', async (tt) => {
  const { thread } = await scene(tt);
  tt.strictSame(Object.keys(thread.refs), ['trouble', 'other']);
  tt.equal(await thread.ref<{ hello(): string }>('other').ask('hello'), 'hello from the other');
  tt.throws(() => thread.ref('constructor'), { code: 'INTERNAL' });
});

t.test('runThread is only for workers, and their modules are where workerUrl says', async (tt) => {
  tt.throws(() => runThread(() => ({ actors: {} })), { code: 'INTERNAL' });
  tt.match(workerUrl('packages').pathname, /dist\/src\/workers\/packages\.worker\.js$/);
});

import t from 'tap';
import type { Test } from 'tap';

import { DebtorrentError } from '../../src/core/errors.ts';
import { spawn } from '../../src/kernel/actor.ts';
import type { Child, PreparedChild, RunningChild, Supervisor, SupervisorOptions } from '../../src/kernel/supervisor.ts';
import { createSupervisor } from '../../src/kernel/supervisor.ts';
import { startThread } from '../../src/kernel/thread.ts';
import { rejectsWith, until } from './contract.ts';
import { Recorder } from './fixtures/recorder.ts';
import type { Trouble } from './fixtures/trouble.ts';

interface Counter {
  bump(): void;
  count(): number;
  never(): string;
  crash(): void;
}

interface Scene {
  readonly supervisor: Supervisor;
  readonly log: Recorder;
  /** What happened, in order. */
  readonly journal: string[];
  /** A child with one actor named counter. */
  child(name: string, extra?: Partial<Child>): Child;
}

function scene(tt: Test, options: Partial<SupervisorOptions> = {}): Scene {
  const log = new Recorder();
  const journal: string[] = [];
  const alive = setInterval(() => undefined, 1000);
  const supervisor = createSupervisor({ log, backoffMs: 5, ...options });
  tt.teardown(async () => {
    await supervisor.stop();
    clearInterval(alive);
  });
  const child = (name: string, extra: Partial<Child> = {}): Child => ({
    name,
    start: async () => {
      journal.push(`start ${name}`);
      return counter(log, () => journal.push(`stop ${name}`));
    },
    ...extra,
  });
  return { supervisor, log, journal, child };
}

function counter(log: Recorder, onStop: () => unknown = () => undefined): RunningChild {
  let count = 0;
  const actor = spawn<Counter>({
    name: 'counter',
    log,
    stop: () => void onStop(),
    behaviour: {
      bump: () => void (count += 1),
      count: () => count,
      never: () => new Promise<string>(() => undefined),
      crash() {
        throw new TypeError('crashed');
      },
    },
  });
  return { refs: { counter: actor.ref }, ended: actor.ended, stop: () => actor.stop() };
}

/** A promise and what settles it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

t.test('children start in order and stop in reverse, once', async (tt) => {
  const { supervisor, journal, child } = scene(tt);
  const early = supervisor.ref<Counter>('b', 'counter');
  await rejectsWith(tt, early.ask('count'), 'ACTOR_STOPPED');
  await supervisor.start([child('a'), child('b'), child('c')]);
  early.tell('bump');
  tt.equal(await early.ask('count'), 1);
  tt.equal(await early.within(100).ask('count'), 1);
  await Promise.all([supervisor.stop(), supervisor.stop()]);
  tt.strictSame(journal, ['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  await rejectsWith(tt, early.ask('count'), 'ACTOR_STOPPED');
  tt.equal(early.tell('bump'), false);
});

t.test('a child that fails is restarted with fresh state behind the same reference', async (tt) => {
  const { supervisor, journal, child } = scene(tt);
  const restarted = gate();
  await supervisor.start([child('a', { onRestart: restarted.open }), child('b')]);
  const ref = supervisor.ref<Counter>('a', 'counter');
  const other = supervisor.ref<Counter>('b', 'counter');
  ref.tell('bump');
  other.tell('bump');
  tt.equal(await ref.ask('count'), 1);
  const pending = ref.ask('never');
  ref.tell('crash');
  await rejectsWith(tt, pending, 'ACTOR_STOPPED');
  await rejectsWith(tt, ref.ask('count'), 'ACTOR_STOPPED');
  tt.equal(ref.tell('bump'), false);
  await restarted.opened;
  tt.equal(await ref.ask('count'), 0);
  tt.equal(await other.ask('count'), 1);
  tt.strictSame(journal, ['start a', 'start b', 'stop a', 'start a']);
});

t.test('what a child holds besides its actor is freed before it starts again', async (tt) => {
  const { supervisor, journal, log } = scene(tt);
  const restarted = gate();
  const start = async (): Promise<RunningChild> => {
    journal.push('take port');
    const running = counter(log);
    return {
      ...running,
      async stop() {
        await running.stop();
        journal.push('free port');
      },
    };
  };
  await supervisor.start([{ name: 'a', start, onRestart: restarted.open }]);
  supervisor.ref<Counter>('a', 'counter').tell('crash');
  await restarted.opened;
  tt.strictSame(journal, ['take port', 'free port', 'take port']);
});

t.test('what can be done before a child has its turn is done before the first one starts', async (tt) => {
  const { supervisor, log, journal, child } = scene(tt);
  const restarted = gate();
  const prepare = (name: string) => (): PreparedChild => {
    journal.push(`prepare ${name}`);
    return {
      start: async () => (journal.push(`start prepared ${name}`), counter(log)),
      discard: async () => void journal.push(`discard ${name}`),
    };
  };
  await supervisor.start([child('a'), child('b', { prepare: prepare('b'), onRestart: restarted.open })]);
  supervisor.ref<Counter>('b', 'counter').tell('crash');
  await restarted.opened;
  await supervisor.stop();
  const restart = ['start b', 'stop b'];
  tt.strictSame(
    journal,
    ['prepare b', 'start a', 'start prepared b', ...restart, 'stop a'],
    'a restart prepares nothing',
  );

  const other = scene(tt);
  const broken = other.child('c', { start: () => Promise.reject(new DebtorrentError('STORE_IO', 'no disk')) });
  journal.length = 0;
  const start = other.supervisor.start([broken, child('d', { prepare: prepare('d') })]);
  await rejectsWith(tt, start, 'STORE_IO');
  tt.strictSame(journal, ['prepare d', 'discard d']);

  const unready = scene(tt);
  const cannot = () => {
    throw new TypeError('cannot be prepared');
  };
  await tt.rejects(unready.supervisor.start([child('e', { prepare: prepare('e') }), child('f', { prepare: cannot })]), {
    message: 'cannot be prepared',
  });
  tt.strictSame(journal.slice(2), ['prepare e', 'discard e']);
});

t.test('a thread that dies is restarted as a whole', async (tt) => {
  const { supervisor, log } = scene(tt);
  const restarted = gate();
  const url = new URL('./fixtures/trouble.worker.js', import.meta.url);
  const start = (): Promise<RunningChild> => startThread({ name: 'trouble-thread', url, boot: 'well', log });
  await supervisor.start([{ name: 'thread', start, onRestart: restarted.open }]);
  const ref = supervisor.ref<Trouble>('thread', 'trouble');
  ref.tell('bump');
  tt.equal(await ref.ask('count'), 1);
  await rejectsWith(tt, ref.ask('exit', 0), 'ACTOR_STOPPED');
  await restarted.opened;
  tt.equal(await ref.ask('count'), 0);
});

t.test('a child that fails too often is given up, and the others are not', async (tt) => {
  const { supervisor, journal, child, log } = scene(tt, { maxRestarts: 2 });
  const crash = (): void => void supervisor.ref<Counter>('a', 'counter').tell('crash');
  await supervisor.start([child('a', { onRestart: crash }), child('b')]);
  crash();
  tt.match(await supervisor.failed, { message: 'crashed' });
  tt.equal(journal.filter((line) => line === 'start a').length, 3);
  tt.equal(log.of('child ends again and again, giving up').length, 1);
  await rejectsWith(tt, supervisor.ref<Counter>('a', 'counter').ask('count'), 'ACTOR_STOPPED');
  tt.equal(await supervisor.ref<Counter>('b', 'counter').ask('count'), 0);
  await supervisor.stop();
  tt.equal(journal.at(-1), 'stop b');
});

t.test('ends that lie further apart than the window do not add up', async (tt) => {
  const { supervisor, journal, child } = scene(tt, { maxRestarts: 1, windowMs: 0 });
  const ref = supervisor.ref<Counter>('a', 'counter');
  let restarts = 0;
  await supervisor.start([child('a', { onRestart: () => void (restarts += 1) })]);
  for (let n = 1; n <= 4; n += 1) {
    ref.tell('crash');
    await until(() => restarts === n);
  }
  tt.equal(journal.filter((line) => line === 'start a').length, 5);
});

t.test('a restart that fails is tried again and counts', async (tt) => {
  const { supervisor, log } = scene(tt, { maxRestarts: 3 });
  let starts = 0;
  const start = async (): Promise<RunningChild> => {
    starts += 1;
    if (starts > 1) throw new DebtorrentError('STORE_IO', `start ${starts}`);
    return counter(log);
  };
  await supervisor.start([{ name: 'a', start }]);
  supervisor.ref<Counter>('a', 'counter').tell('crash');
  tt.match(await supervisor.failed, { code: 'STORE_IO', message: 'start 4' });
});

t.test('an onRestart that throws is logged and harms nobody', async (tt) => {
  const { supervisor, child, log } = scene(tt);
  const onRestart = (): never => {
    throw new TypeError('hook');
  };
  await supervisor.start([child('a', { onRestart })]);
  const ref = supervisor.ref<Counter>('a', 'counter');
  ref.tell('crash');
  await until(() => log.of('onRestart failed').length === 1);
  tt.equal(await ref.ask('count'), 0);
});

t.test('a child that cannot start at first is an error of start, and the others are stopped again', async (tt) => {
  const { supervisor, journal, child } = scene(tt);
  const start = (): never => {
    throw new DebtorrentError('PORT_TAKEN', '127.0.0.1:9988 is in use');
  };
  const started = supervisor.start([child('a'), child('b'), { name: 'c', start }, child('d')]);
  await rejectsWith(tt, started, 'PORT_TAKEN', '127.0.0.1:9988 is in use');
  tt.strictSame(journal, ['start a', 'start b', 'stop b', 'stop a']);
});

t.test('a child that is stuck does not keep stop from ending or the others from stopping', async (tt) => {
  const { supervisor, journal, child, log } = scene(tt, { stopMs: 200 });
  const stuck = (name: string): Child => ({
    name,
    start: async () => ({ ...counter(log), stop: () => new Promise(() => undefined) }),
  });
  await supervisor.start([child('a'), stuck('b'), child('c'), stuck('d'), child('e')]);
  await supervisor.stop();
  tt.strictSame(journal, ['start a', 'start c', 'start e', 'stop e', 'stop c', 'stop a']);
  tt.equal(log.of('child did not stop in time').length, 2);
  await rejectsWith(tt, supervisor.ref<Counter>('b', 'counter').ask('count'), 'ACTOR_STOPPED');
});

t.test('a child whose stop fails does not keep the others from stopping', async (tt) => {
  const { supervisor, journal, child, log } = scene(tt);
  const start = async (): Promise<RunningChild> => ({
    ...counter(log),
    stop: () => Promise.reject(new TypeError('stop')),
  });
  await supervisor.start([child('a'), { name: 'b', start }]);
  await supervisor.stop();
  tt.strictSame(journal, ['start a', 'stop a']);
});

t.test('stop during the start stops what has started, also what starts late', async (tt) => {
  const { supervisor, journal, child, log } = scene(tt, { stopMs: 60 });
  const [asked, hold] = [gate(), gate()];
  const start = async (): Promise<RunningChild> => {
    asked.open();
    await hold.opened;
    return counter(log, () => journal.push('stop late'));
  };
  const started = supervisor.start([child('a'), { name: 'late', start }, child('never')]);
  const refused = rejectsWith(tt, started, 'STOPPING');
  await asked.opened;
  await supervisor.stop();
  tt.strictSame(journal, ['start a', 'stop a']);
  hold.open();
  await refused;
  await until(() => journal.includes('stop late'));
  await rejectsWith(tt, supervisor.ref<Counter>('late', 'counter').ask('count'), 'ACTOR_STOPPED');
  tt.notOk(journal.includes('start never'));
});

t.test('stop while a restart waits ends it', async (tt) => {
  const { supervisor, journal, child, log } = scene(tt, { backoffMs: 600_000 });
  await supervisor.start([child('a')]);
  supervisor.ref<Counter>('a', 'counter').tell('crash');
  await until(() => log.of('child ended and is restarted').length === 1);
  await supervisor.stop();
  tt.strictSame(journal, ['start a', 'stop a']);
});

t.test('stop while a restart is under way stops what it started', async (tt) => {
  const { supervisor, journal, log } = scene(tt);
  const [asked, hold] = [gate(), gate()];
  let starts = 0;
  const start = async (): Promise<RunningChild> => {
    starts += 1;
    if (starts === 2) {
      asked.open();
      await hold.opened;
    }
    const number = starts;
    return counter(log, () => journal.push(`stop ${number}`));
  };
  await supervisor.start([{ name: 'a', start }]);
  supervisor.ref<Counter>('a', 'counter').tell('crash');
  await asked.opened;
  const stopped = supervisor.stop();
  hold.open();
  await stopped;
  tt.strictSame(journal, ['stop 1', 'stop 2']);
});

t.test('a supervisor that was stopped before it started does not start', async (tt) => {
  const { supervisor, journal, child } = scene(tt);
  await supervisor.stop();
  await rejectsWith(tt, supervisor.start([child('a')]), 'STOPPING');
  tt.strictSame(journal, []);
});

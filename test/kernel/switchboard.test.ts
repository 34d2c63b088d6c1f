import t from 'tap';
import type { Test } from 'tap';

import { Switchboard } from '../../src/kernel/switchboard.ts';
import { startThread, type Thread } from '../../src/kernel/thread.ts';
import { rejectsWith, until } from './contract.ts';
import type { Pair, PairBoot } from './fixtures/pair.ts';
import { Recorder } from './fixtures/recorder.ts';

const url = new URL('./fixtures/pair.worker.js', import.meta.url);

type Start = (name: string, other: string, early?: boolean) => Promise<Thread>;

function starter(tt: Test, switchboard: Switchboard): Start {
  return async (name, other, early = false) => {
    const boot: PairBoot = { other, early };
    const thread = await startThread({ name, url, boot, switchboard, log: new Recorder() });
    tt.teardown(() => thread.stop());
    return thread;
  };
}

const askOther = (thread: Thread) => thread.ref<Pair>('pair').ask('askOther');

/** A thread hears of one that starts later a moment after that is ready. */
async function joined(thread: Thread): Promise<string> {
  let said = '';
  await until(async () => (said = await askOther(thread).catch(() => '')) !== '');
  return said;
}

t.test('threads that are joined reach each other, whichever starts first, and others do not', async (tt) => {
  const start = starter(tt, new Switchboard([['a', 'b']]));
  const [a, stranger] = [await start('a', 'b'), await start('stranger', 'a')];
  await rejectsWith(tt, askOther(a), 'ACTOR_STOPPED', /pair is not running/);
  const b = await start('b', 'a');
  tt.equal(await askOther(b), 'hello');
  tt.equal(await joined(a), 'hello');
  await rejectsWith(tt, askOther(stranger), 'ACTOR_STOPPED');
});

t.test('a thread reaches those that run while it is set up', async (tt) => {
  const start = starter(tt, new Switchboard([['a', 'b']]));
  const a = await start('a', 'b');
  await start('b', 'a', true);
  tt.equal(await joined(a), 'hello there');
});

t.test('what one thread asks another does not need the main thread', async (tt) => {
  const start = starter(tt, new Switchboard([['a', 'b']]));
  const a = await start('a', 'b');
  await start('b', 'a');
  await joined(a);
  const flag = new SharedArrayBuffer(4);
  a.ref<Pair>('pair').tell('askInto', flag);
  // Nothing of the main thread's event loop runs until the other thread has answered, or 20 s are over.
  Atomics.wait(new Int32Array(flag), 0, 0, 20_000);
  tt.equal(Atomics.load(new Int32Array(flag), 0), 1);
});

t.test('when one ends, what it was asked is rejected, and the next one of its name is reached', async (tt) => {
  const start = starter(tt, new Switchboard([['a', 'b']]));
  const a = await start('a', 'b');
  const b = await start('b', 'a');
  await joined(a);
  const pending = a.ref<Pair>('pair').within(60_000).ask('askOtherNever');
  pending.catch(() => undefined);
  b.ref<Pair>('pair').tell('exit');
  await rejectsWith(tt, pending, 'ACTOR_STOPPED');
  await b.ended;
  await rejectsWith(tt, askOther(a), 'ACTOR_STOPPED');
  const again = await start('b', 'a');
  tt.equal(await askOther(again), 'hello');
  tt.equal(await joined(a), 'hello');
});

t.test('lines keep no thread alive', async (tt) => {
  const start = starter(tt, new Switchboard([['a', 'b']]));
  const a = await start('a', 'b');
  const b = await start('b', 'a');
  tt.equal(await joined(a), 'hello');
  await a.stop();
  await b.stop();
  tt.strictSame(await Promise.all([a.ended, b.ended]), [{ code: 0 }, { code: 0 }]);
});

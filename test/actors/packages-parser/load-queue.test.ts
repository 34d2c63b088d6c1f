import t from 'tap';
import { LoadQueue, Turnstile } from '../../../src/actors/packages-parser/load-queue.ts';
import { DebtorrentError, type ErrorCode } from '../../../src/core/errors.ts';

/** A queue whose work is done when the test says so. */
function make() {
  const running = new Map<string, { done: () => void; fail: (code: ErrorCode) => void }>();
  const started: string[] = [];
  const failures: [id: string, again: boolean][] = [];
  const timers: { fire: () => void; ms: number; cleared: boolean }[] = [];
  const queue = new LoadQueue({
    clock: {
      now: () => 0,
      setTimeout(fire, ms) {
        const timer = { fire, ms, cleared: false };
        timers.push(timer);
        return { clear: () => void (timer.cleared = true) };
      },
    },
    load: (id) =>
      new Promise((resolve, reject) => {
        started.push(id);
        const end = (settle: () => void) => () => {
          running.delete(id);
          settle();
        };
        running.set(id, { done: end(resolve), fail: (code) => end(() => reject(new DebtorrentError(code, code)))() });
      }),
    failed: (id, _error, again) => void failures.push([id, again]),
  });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { queue, running, started, failures, timers, settled };
}

t.test('four at once, each once, the others in order', async (t) => {
  const { queue, running, started, settled } = make();
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'e']) t.ok(queue.add(id));
  t.strictSame(started, ['a', 'b', 'c', 'd']);
  running.get('b')?.done();
  await settled();
  running.get('a')?.done();
  await settled();
  t.strictSame(started, ['a', 'b', 'c', 'd', 'e', 'f']);
});

t.test('what is asked for again while it runs is done again afterwards, once', async (t) => {
  const { queue, running, started, settled } = make();
  for (const id of ['a', 'a', 'a']) queue.add(id);
  running.get('a')?.done();
  await settled();
  t.strictSame(started, ['a', 'a']);
  running.get('a')?.done();
  await settled();
  t.equal(started.length, 2);
});

t.test('faults that may pass are tried again three times, others not', async (t) => {
  const { queue, running, failures, timers, settled } = make();
  queue.add('a');
  for (let attempt = 0; attempt < 4; attempt++) {
    running.get('a')?.fail('MIRROR_TIMEOUT');
    await settled();
    timers.at(-1)?.fire();
  }
  t.strictSame(
    failures.map(([, again]) => again),
    [true, true, true, false],
  );
  t.strictSame(
    timers.map((timer) => timer.ms),
    [5_000, 30_000, 120_000],
  );
  queue.add('b');
  running.get('b')?.fail('INDEX_MALFORMED');
  await settled();
  t.strictSame(failures.at(-1), ['b', false]);
});

t.test('there is a bound', async (t) => {
  const { queue } = make();
  for (let n = 0; n < 516; n++) t.ok(queue.add(String(n)));
  t.notOk(queue.add('one more'));
});

t.test('after the stop nothing begins and nothing is told', async (t) => {
  const { queue, running, started, failures, timers, settled } = make();
  for (const id of ['a', 'b', 'c', 'd', 'e']) queue.add(id);
  running.get('a')?.fail('MIRROR_TIMEOUT');
  await settled();
  queue.stop();
  running.get('b')?.fail('CANCELLED');
  await settled();
  t.strictSame(started, ['a', 'b', 'c', 'd', 'e']);
  t.strictSame(
    failures.map(([id]) => id),
    ['a'],
  );
  t.ok(timers.every((timer) => timer.cleared));
  t.notOk(queue.add('f'));
});

t.test('a turnstile lets one through at a time, also after a failure', async (t) => {
  const turnstile = new Turnstile();
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    order.push(`${name} in`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} out`);
    if (name === 'a') throw new Error('a fails');
  };
  const results = await Promise.allSettled(['a', 'b'].map((name) => turnstile.through(work(name))));
  t.strictSame(order, ['a in', 'a out', 'b in', 'b out']);
  t.strictSame(
    results.map((r) => r.status),
    ['rejected', 'fulfilled'],
  );
});

/** What only an actor in this thread has; the rest is in contract.ts. */
import t from 'tap';

import type { LocalActor } from '../../src/kernel/actor.ts';
import { spawn } from '../../src/kernel/actor.ts';
import { rejectsWith } from './contract.ts';
import { ManualClock } from './fixtures/manual-clock.ts';
import { Recorder } from './fixtures/recorder.ts';

interface Worker {
  add(n: number): void;
  total(): number;
  slow(): string;
  chat(rounds: number): void;
  stopYourself(): void;
  crash(): void;
}

interface Scene {
  readonly actor: LocalActor<Worker>;
  readonly log: Recorder;
  readonly clock: ManualClock;
  readonly failures: string[];
  answer(): void;
}

function scene(stop?: (cause?: Error) => void | Promise<void>): Scene {
  const [log, clock] = [new Recorder(), new ManualClock()];
  const failures: string[] = [];
  let total = 0;
  let answer: () => void = () => undefined;
  const actor: LocalActor<Worker> = spawn<Worker>({
    name: 'worker',
    log,
    clock,
    stop,
    stopMs: 1000,
    onFailure: (error) => failures.push(error.message),
    behaviour: {
      add: (n) => void (total += n),
      total: () => total,
      slow: () => new Promise<string>((resolve) => (answer = () => resolve('at last'))),
      chat(rounds) {
        total += 1;
        if (rounds > 1) actor.ref.tell('chat', rounds - 1);
      },
      stopYourself: () => void actor.stop(),
      crash() {
        throw new TypeError('crash');
      },
    },
  });
  return { actor, log, clock, failures, answer: () => answer() };
}

t.test('what is queued when it stops is not handled', async (tt) => {
  const { actor } = scene();
  const total = actor.ref.ask('total');
  actor.ref.tell('add', 1);
  tt.equal(actor.load, 2);
  const stopped = actor.stop();
  await rejectsWith(tt, total, 'ACTOR_STOPPED');
  await stopped;
  tt.equal(actor.load, 0);
});

t.test('an ask in work may be answered while the stop hook runs', async (tt) => {
  const it = scene(() => Promise.resolve(it.answer()));
  const slow = it.actor.ref.ask('slow');
  await it.actor.ref.ask('total');
  await it.actor.stop();
  tt.equal(await slow, 'at last');
  tt.strictSame(await it.actor.ended, {});
});

t.test('a stop hook that hangs or fails does not keep the actor from ending', async (tt) => {
  const hanging = scene(() => new Promise(() => undefined));
  const stopped = hanging.actor.stop();
  hanging.clock.advance(1000);
  await stopped;
  tt.equal(hanging.log.of('actor did not stop in time').length, 1);
  const failing = scene(() => {
    throw new TypeError('hook');
  });
  await failing.actor.stop();
  tt.equal(failing.log.of('stop hook failed').length, 1);
  tt.equal(failing.clock.timers, 0);
});

t.test('a failure is told once, and the stop hook gets the cause', async (tt) => {
  const causes: (Error | undefined)[] = [];
  const { actor, failures } = scene((cause) => void causes.push(cause));
  actor.ref.tell('crash');
  actor.ref.tell('crash');
  const { error } = await actor.ended;
  tt.strictSame(failures, ['crash']);
  tt.equal(causes.length, 1);
  tt.equal(causes[0], error);
  await actor.stop();
});

t.test('a handler may stop its own actor', async (tt) => {
  const { actor } = scene();
  const after = actor.ref.ask('slow');
  actor.ref.tell('stopYourself');
  await rejectsWith(tt, after, 'ACTOR_STOPPED');
  await actor.ended;
});

t.test('an ask that nobody waits for any more is not handled', async (tt) => {
  const { actor, clock } = scene();
  const late = actor.ref.within(10).ask('slow');
  clock.advance(10);
  await rejectsWith(tt, late, 'ASK_TIMEOUT');
  tt.equal(actor.load, 0);
  await actor.stop();
});

t.test('an actor that keeps telling itself lets the event loop go on', async (tt) => {
  const { actor } = scene();
  actor.ref.tell('chat', 100_000);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  tt.ok((await actor.ref.ask('total')) < 100_000);
  await actor.stop();
});

t.test('tells that were not taken are counted', async (tt) => {
  const { actor } = scene();
  await actor.stop();
  actor.ref.tell('add', 1);
  actor.ref.tell('add', 1);
  tt.equal(actor.dropped, 2);
});

/** What an ActorRef promises, whichever thread its actor lives in. */
import type { Test } from 'tap';

import { DebtorrentError } from '../../src/core/errors.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { LocalActor } from '../../src/kernel/actor.ts';
import type { ActorRef } from '../../src/kernel/protocol.ts';
import { Recorder } from './fixtures/recorder.ts';
import type { Friend, Subject } from './fixtures/subject.ts';
import { spawnFriend } from './fixtures/subject.ts';

export interface Opened {
  readonly ref: ActorRef<Subject>;
  stop(): Promise<void>;
  readonly ended: Promise<{ readonly error?: Error }>;
}

/** Starts a subject with this mailbox limit. */
export type Transport = (limit: number, friend: LocalActor<Friend>, log: Recorder) => Promise<Opened>;

interface Scene extends Opened {
  readonly friend: LocalActor<Friend>;
  readonly log: Recorder;
}

export function contract(t: Test, open: Transport): void {
  const scene = async (tt: Test, limit = 100): Promise<Scene> => {
    const log = new Recorder();
    // deadlines do not keep a process alive, and an actor in this thread has nothing else that does
    const alive = setInterval(() => undefined, 1000);
    const friend = spawnFriend(log);
    const opened = await open(limit, friend, log);
    tt.teardown(async () => {
      await opened.stop();
      await friend.stop();
      clearInterval(alive);
    });
    return { ref: opened.ref, stop: () => opened.stop(), ended: opened.ended, friend, log };
  };

  t.test('messages of both kinds are handled in the order in which they were sent', async (tt) => {
    const { ref } = await scene(tt);
    for (let n = 0; n < 50; n += 1) tt.equal(ref.tell('note', n), true);
    const first = ref.ask('notes');
    ref.tell('note', 50);
    tt.strictSame(await first, [...Array(50).keys()]);
    tt.strictSame(await ref.ask('notes'), [...Array(51).keys()]);
  });

  t.test('a message is not handled inside the call that sends it', async (tt) => {
    const { ref } = await scene(tt);
    let sent = false;
    const reply = ref.ask('add', 1, 2).then(() => tt.ok(sent));
    sent = true;
    await reply;
  });

  t.test('each of many concurrent asks gets its own reply, and a slow one does not hold up the others', async (tt) => {
    const { ref } = await scene(tt, 2000);
    const settled: string[] = [];
    const slow = ref.ask('hold').then((value) => settled.push(value));
    const sums = await Promise.all(Array.from({ length: 1000 }, (_, n) => ref.ask('add', n, 1)));
    settled.push('sums');
    ref.tell('release');
    await slow;
    tt.strictSame(
      sums,
      Array.from({ length: 1000 }, (_, n) => n + 1),
    );
    tt.strictSame(settled, ['sums', 'held']);
    tt.equal(await ref.ask('nothing'), undefined);
  });

  t.test('large and structured arguments and replies arrive whole', async (tt) => {
    const { ref } = await scene(tt);
    const bytes = new Uint8Array(8 * 2 ** 20).fill(7);
    const back = (await ref.ask('echo', bytes)) as Uint8Array;
    tt.ok(Buffer.compare(back, bytes) === 0);
    const value = { map: new Map([['a', new Set([1n])]]), when: new Date(0), none: undefined, list: [null, -0] };
    tt.strictSame(await ref.ask('echo', value), value);
  });

  t.test('a DebtorrentError is the reply, with its code and message, and the actor goes on', async (tt) => {
    const { ref, log } = await scene(tt);
    await rejectsWith(tt, ref.ask('refuse', 'STORE_FULL', 'no room for 3 files'), 'STORE_FULL', 'no room for 3 files');
    await rejectsWith(tt, ref.ask('refuseLater', 'HASH_MISMATCH', 'it differs'), 'HASH_MISMATCH', 'it differs');
    tt.equal(ref.tell('refuseTold'), true);
    tt.equal(await ref.ask('add', 1, 1), 2);
    await until(() => log.of('message failed').length === 1);
    tt.match(log.of('message failed')[0], { level: 'warn', fields: { code: 'NOT_FOUND', kind: 'refuseTold' } });
  });

  t.test('an ask without a reply is rejected at its deadline, and others are not', async (tt) => {
    const { ref } = await scene(tt);
    const patient = ref.ask('hold');
    await rejectsWith(tt, ref.within(20).ask('never'), 'ASK_TIMEOUT', /subject did not answer never within 20 ms/);
    await rejectsWith(tt, ref.within(-5).ask('never'), 'ASK_TIMEOUT');
    ref.tell('release');
    tt.equal(await patient, 'held');
    tt.throws(() => ref.within(Number.NaN), RangeError);
    tt.equal(await ref.within(2 ** 40).ask('add', 2, 2), 4);
  });

  t.test('a reply after the deadline does no harm', async (tt) => {
    const { ref } = await scene(tt);
    await rejectsWith(tt, ref.within(5).ask('later', 150, 'late'), 'ASK_TIMEOUT');
    tt.equal(await ref.ask('later', 200, 'in time'), 'in time');
  });

  t.test('beyond the bound of the mailbox an ask is rejected and a tell is not taken', async (tt) => {
    const { ref, log } = await scene(tt, 4);
    const asks = [1, 2, 3, 4].map(() => ref.within(50).ask('never'));
    const settled = Promise.allSettled(asks);
    await rejectsWith(tt, ref.ask('add', 1, 1), 'MAILBOX_FULL');
    for (let n = 0; n < 10; n += 1) tt.equal(ref.tell('note', n), false);
    tt.ok((await settled).every(({ status }) => status === 'rejected'));
    await until(() => ref.tell('note', 99));
    await until(async () => (await ref.ask('notes').catch(() => [])).length > 0);
    tt.match(log.of('messages dropped')[0], { fields: { actor: 'subject', why: 'mailbox full' } });
    tt.ok(log.of('messages dropped').length < 10, 'and it is not logged for each message');
  });

  t.test('a burst of tells up to the bound is taken as a whole', async (tt) => {
    const { ref } = await scene(tt, 64);
    const taken = Array.from({ length: 70 }, (_, n) => ref.tell('note', n)).filter(Boolean);
    tt.equal(taken.length, 64);
    await until(async () => (await ref.ask('notes').catch(() => [])).length === 64);
  });

  t.test('a handler may ask its own actor', async (tt) => {
    const { ref } = await scene(tt);
    tt.equal(await ref.ask('addByMyself', 20, 22), 42);
  });

  t.test('an actor can send to one that it was given', async (tt) => {
    const { ref, friend } = await scene(tt);
    tt.equal(await ref.ask('double', 21), 42);
    for (let n = 0; n < 20; n += 1) ref.tell('shout', n);
    await until(async () => (await friend.ref.ask('heard')).length === 20);
    tt.strictSame(await friend.ref.ask('heard'), [...Array(20).keys()]);
    await friend.stop();
    await rejectsWith(tt, ref.ask('double', 1), 'ACTOR_STOPPED');
  });

  t.test('a message that the actor does not know is rejected and does not end it', async (tt) => {
    const { ref } = await scene(tt);
    const wrong = ref as unknown as ActorRef<{ unheardOf(): number }>;
    await rejectsWith(tt, wrong.ask('unheardOf'), 'INTERNAL', /does not understand unheardOf/);
    tt.equal(await ref.ask('add', 1, 1), 2);
  });

  t.test('stop rejects what is pending and everything after', async (tt) => {
    const { ref, stop, ended } = await scene(tt);
    const pending = [ref.ask('never'), ref.within(2 ** 31 - 1).ask('never')];
    await ref.ask('add', 1, 1);
    const settled = Promise.allSettled(pending);
    await stop();
    for (const result of await settled) {
      tt.match(result, { status: 'rejected', reason: { code: 'ACTOR_STOPPED' } });
    }
    tt.equal((await ended).error, undefined);
    tt.equal(ref.tell('note', 1), false);
    await rejectsWith(tt, ref.ask('notes'), 'ACTOR_STOPPED');
    await stop();
  });

  for (const kind of ['crash', 'crashLater'] as const) {
    t.test(`${kind}: its asker gets ACTOR_FAILED, others ACTOR_STOPPED, and the actor ends`, async (tt) => {
      const { ref, ended, log } = await scene(tt);
      const others = Promise.allSettled([ref.ask('never'), ref.ask('never')]);
      await rejectsWith(tt, ref.ask(kind, 'oh no'), 'ACTOR_FAILED', /subject failed in crash.*: oh no/);
      for (const result of await others) tt.match(result, { status: 'rejected', reason: { code: 'ACTOR_STOPPED' } });
      tt.match((await ended).error, { message: 'oh no' });
      await rejectsWith(tt, ref.ask('add', 1, 1), 'ACTOR_STOPPED');
      tt.equal(ref.tell('note', 1), false);
      tt.equal(log.of('actor failed').length, 1);
    });
  }

  t.test('an exception in a told handler ends the actor too', async (tt) => {
    const { ref, ended } = await scene(tt);
    const pending = Promise.allSettled([ref.ask('never')]);
    ref.tell('crashTold');
    tt.match(await pending, [{ status: 'rejected', reason: { code: 'ACTOR_STOPPED' } }]);
    tt.match((await ended).error, { message: 'told to crash' });
  });
}

export async function rejectsWith(
  t: Test,
  promise: Promise<unknown>,
  code: ErrorCode,
  message?: string | RegExp,
): Promise<void> {
  const error: unknown = await promise.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  t.ok(error instanceof DebtorrentError, `${String(error)} is a DebtorrentError`);
  t.match(error, message === undefined ? { code } : { code, message });
}

/** Waits, without a limit of its own (the test's timeout is one), until it holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

import t from 'tap';

import { startThread } from '../../src/kernel/thread.ts';
import type { Transport } from './contract.ts';
import { contract } from './contract.ts';
import type { Subject } from './fixtures/subject.ts';
import { spawnSubject } from './fixtures/subject.ts';

const inThread: Transport = async (limit, friend, log) => spawnSubject({ limit, friend: friend.ref, log });

const acrossThreads: Transport = async (limit, friend, log) => {
  const thread = await startThread({
    name: 'subject-thread',
    url: new URL('./fixtures/subject.worker.js', import.meta.url),
    boot: { limit },
    refs: { friend: friend.ref },
    log,
  });
  return { ref: thread.ref<Subject>('subject'), stop: () => thread.stop(), ended: thread.ended };
};

t.test('in one thread', async (tt) => contract(tt, inThread));
t.test('across threads', async (tt) => contract(tt, acrossThreads));

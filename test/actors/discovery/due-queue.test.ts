import t from 'tap';
import { DueQueue } from '../../../src/actors/discovery/due-queue.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { InfoHash } from '../../../src/core/ids.ts';
import { sleep, until } from '../../support/process.ts';
import { newTorrent } from './fixtures/found.ts';

t.test('no more turns at once than allowed, and every torrent has one', async (t) => {
  let now = 0;
  let most = 0;
  const done: InfoHash[] = [];
  const queue = new DueQueue({
    clock: systemClock,
    parallel: () => 3,
    async work(id) {
      now += 1;
      most = Math.max(most, now);
      await sleep(60);
      now -= 1;
      done.push(id);
      return { againMs: 1_000_000 };
    },
  });
  t.teardown(() => queue.stop());
  const ids = Array.from({ length: 8 }, newTorrent);
  t.same(queue.set(ids), []);
  await until('all', () => done.length === 8);
  t.same(done.toSorted(), ids.toSorted());
  t.equal(most, 3);
});

t.test('a torrent has its next turn when it is due, a pause holds up all', async (t) => {
  const turns: string[] = [];
  const [one, two] = [newTorrent(), newTorrent()];
  const queue = new DueQueue({
    clock: systemClock,
    parallel: () => 1,
    async work(id) {
      turns.push(id === one ? 'one' : 'two');
      return turns.length === 1 ? { againMs: 30, pauseMs: 100 } : { againMs: 1_000_000 };
    },
  });
  t.teardown(() => queue.stop());
  const began = Date.now();
  queue.set([one, two]);
  await until('three turns', () => turns.length === 3);
  t.ok(Date.now() - began >= 95);
  t.same(turns, ['one', 'two', 'one']);
});

t.test('what is gone has no turn, and is told', async (t) => {
  const turns: InfoHash[] = [];
  const queue = new DueQueue({
    clock: systemClock,
    parallel: () => 1,
    async work(id) {
      turns.push(id);
      return { againMs: 10 };
    },
  });
  t.teardown(() => queue.stop());
  const [one, two] = [newTorrent(), newTorrent()];
  queue.set([one]);
  await until('a turn', () => turns.length > 0);
  t.same(queue.set([two]), [one]);
  await until('the other', () => turns.includes(two));
  t.same(queue.torrents, [two]);
  queue.stop();
});

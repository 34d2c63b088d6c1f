/** Who gets a mirror's connections when there are fewer than jobs. */
import t from 'tap';

import { MirrorQueue, type Place } from '../../../src/actors/http-backup/mirror-queue.ts';
import { rejectsWith, until } from '../../kernel/contract.ts';

t.setTimeout(600_000);

/** A queue whose jobs end when the test says so. */
function scene(limit: number) {
  const queue = new MirrorQueue(limit);
  /** In the order in which they began. */
  const began: string[] = [];
  const beyond = new Set<string>();
  const places = new Map<string, Place>();
  const ends = new Map<string, () => void>();
  let ids = 0;
  return {
    queue,
    began,
    beyond,
    places,
    /** Names of jobs begin with their group. */
    async job(name: string): Promise<void> {
      const place = await queue.enter((ids += 1), name.charAt(0));
      began.push(name);
      places.set(name, place);
      if (place.beyond) beyond.add(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      place.leave();
      place.leave();
    },
    /** Ends that one, and waits until the next one begins. */
    async next(name: string): Promise<void> {
      const before = began.length;
      ends.get(name)?.();
      await until(() => began.length > before);
    },
    end: (...names: string[]) => {
      for (const name of names) ends.get(name)?.();
    },
  };
}

t.test('a file of which nothing is under way comes before further ranges of others', async (t) => {
  const { queue, began, job, next, end } = scene(2);
  const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map(job);
  await until(() => began.length === 2);
  t.strictSame(began, ['a1', 'a2']);
  for (const name of ['a1', 'b1', 'b2', 'c1']) await next(name);
  t.strictSame(began, ['a1', 'a2', 'b1', 'b2', 'c1', 'a3'], 'as long as a2 is under way');
  end('a2', 'a3');
  await Promise.all(all);
  t.ok(queue.idle);
});

t.test('when no place is given back, each file gets one beyond the limit, and no second', async (t) => {
  const { queue, began, beyond, job, next, end } = scene(2);
  const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'd1'].map(job);
  await until(() => began.length === 5);
  t.strictSame(began, ['a1', 'a2', 'b1', 'c1', 'd1']);
  t.strictSame([...beyond], ['b1', 'c1', 'd1']);
  all.push(job('e1'));
  await next('c1');
  t.strictSame(began.slice(5), ['e1'], 'its place goes to another file that has none,');
  await next('a1');
  t.strictSame(began.slice(6), ['a3'], 'a usual one to who is next,');
  t.ok(beyond.has('e1') && !beyond.has('a3'));
  await next('a2');
  end('b1', 'd1', 'e1', 'a3', 'b2');
  await Promise.all(all);
  t.ok(queue.idle, 'and it is given up when nobody needs it');
});

t.test('a job that waits can be cancelled, and the next takes its place', async (t) => {
  const { queue, began, job, next, end } = scene(1);
  const first = job('a1');
  const cancelled = job('b1');
  const last = job('c1');
  queue.cancel(2);
  await rejectsWith(t, cancelled, 'CANCELLED');
  await next('a1');
  t.strictSame(began, ['a1', 'c1']);
  end('c1');
  await Promise.all([first, last]);
  t.ok(queue.idle);
});

t.test('a job that counts for another group from now on is served for that one', async (t) => {
  const { queue, began, places, job, next, end } = scene(2);
  const all = ['a1', 'a2', 'a3', 'a4'].map(job);
  await until(() => began.length === 2);
  queue.regroup(4, 'b');
  queue.regroup(5, 'c');
  await next('a1');
  t.strictSame(began, ['a1', 'a2', 'a4'], 'nothing of its new group was under way');
  places.get('a2')?.regroup('d');
  places.get('a1')?.regroup('e');
  await until(() => began.length === 4);
  t.strictSame(began[3], 'a3', 'nothing is of its group any more');
  end('a2', 'a3', 'a4');
  await Promise.all(all);
  t.ok(queue.idle);
});

t.test(
  'a mirror that serves some and refuses more gets no more than it takes, and who was refused keeps its turn',
  async (t) => {
    const { queue, began, job, next, end, places } = scene(3);
    const all = ['a1', 'b2', 'c3', 'd4', 'e5'].map(job);
    await until(() => began.length === 3);
    const refused = (name: string) => places.get(name)?.refused(false);
    t.equal(refused('b2'), false, 'as none is served, it is out of order');
    places.get('a1')?.served();
    for (const [name, id] of [
      ['b2', 2],
      ['c3', 3],
    ] as const) {
      t.equal(refused(name), true);
      all.push(queue.enter(id, name.charAt(0)).then((place) => (began.push(`${name} again`), place.leave())));
      end(name);
    }
    t.strictSame(began, ['a1', 'b2', 'c3']);
    await next('a1');
    await until(() => began.length === 6);
    t.strictSame(began.slice(3), ['b2 again', 'c3 again', 'd4'], 'one after the other');
    t.equal(refused('d4'), false, 'the only one');
    await next('d4');
    end('e5');
    await Promise.all(all);
    t.ok(queue.idle);
  },
);

t.test('a file that is refused by itself is asked for once more when the mirror has served others', async (t) => {
  const { queue, began, job, next, end, places } = scene(3);
  const all = ['a1', 'b2', 'c3', 'd4'].map(job);
  await until(() => began.length === 3);
  places.get('a1')?.served();
  t.equal(places.get('b2')?.refused(true), true, 'it may be one connection too many');
  const again = queue.enter(2, 'b');
  await next('b2');
  t.strictSame(began.slice(3), ['d4'], 'another file has its place, not it itself');
  places.get('d4')?.served();
  end('c3');
  const second = await again;
  t.equal(second.refused(true), false, 'the mirror serves two at once: it is the file');
  second.leave();
  const third = await queue.enter(5, 'b');
  t.equal(third.refused(true), false, 'also the next time');
  third.leave();
  end('a1', 'd4');
  await Promise.all(all);
  t.ok(queue.idle);
});

t.test('a file that is refused waits for nobody when nothing else is asked for', async (t) => {
  for (const more of [false, true]) {
    const { queue, began, job, end, places } = scene(3);
    const all = ['a1', 'b2', 'c3'].map(job);
    await until(() => began.length === 3);
    places.get('a1')?.served();
    end('a1');
    await all[0];
    t.equal(places.get('b2')?.refused(true), true, 'the mirror may have been sending that until now');
    const again = queue.enter(2, 'b');
    if (more) t.equal(places.get('c3')?.refused(false), true, 'and it wants fewer connections');
    // what the mirror does not have is nothing that it serves
    end('b2', 'c3');
    await Promise.all(all);
    const place = await Promise.race([again, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
    if (place === 'waits') t.fail('it waits');
    else (place as Place).leave();
    t.equal(queue.idle, true);
  }
});

t.test('two files that are refused are connections too many', async (t) => {
  const { queue, began, job, end, places } = scene(3);
  const all = ['a1', 'b2', 'c3', 'd4'].map(job);
  await until(() => began.length === 3);
  places.get('a1')?.served();
  const again: Place[] = [];
  for (const [name, id] of [
    ['b2', 2],
    ['c3', 3],
  ] as const) {
    t.equal(places.get(name)?.refused(true), true, name);
    void queue.enter(id, name.charAt(0)).then((place) => again.push(place));
  }
  end('b2', 'c3');
  await until(() => again.length === 1);
  t.equal(again[0]?.refused(true), true, 'known to take few: it waits again');
  t.equal(began.length, 3, 'and the next one has not begun');
  again[0]?.leave();
  end('a1');
  await until(() => again.length === 2);
  again[1]?.leave();
  await until(() => began.length === 4);
  end('d4');
  await Promise.all(all);
  t.ok(queue.idle);
});

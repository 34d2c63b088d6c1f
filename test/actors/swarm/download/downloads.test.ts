import t from 'tap';

import type { InfoHash } from '../../../../src/core/ids.ts';
import { KEPT_BYTES, MAX_BYTES } from '../../../../src/actors/swarm/download/memory-budget.ts';
import { content, fetchAll, MIB, scene, TORRENT } from './scene.ts';

t.test('a small file comes from the peer that has it', async (t) => {
  const it = scene();
  const file = content('small', 60_000);
  const peer = it.peer('a', [file]);
  peer.peerChoking = true;
  const wanted = it.wanted(file);
  const view = await it.settled(it.downloads.seek(wanted));
  t.strictSame(view, { asked: 1, unanswered: false, wanters: 0, available: [[0, 60_000]], elsewhere: [] });
  t.ok(it.clock.now() < 10, 'as soon as the answer is there');
  t.strictSame(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  t.equal(it.wrote.get(1000), undefined, 'the outcome says it');
  t.strictSame(it.downloads.contributions(1), [
    { peer: { address: peer.address, peerId: peer.peerId }, start: 0, end: 60_000 },
  ]);
  t.strictSame([...it.downloads.wanted()], [[TORRENT, 1]]);
  it.downloads.over(1, true);
  await it.until(() => peer.heard.some(({ type }) => type === 'unwant'));
  t.equal(it.downloads.wanted().size, 0);
  await it.stop();
});

t.test('how fast those are that have a file is told when it is known of each', async (t) => {
  const it = scene();
  const [first, second, third] = [content('first', 2 * MIB), content('second', MIB), content('third', MIB)];
  // 128 KiB a second.
  it.peer('slow', [first, second, third]).rate = 1 / 1_000;
  const of = (file: typeof first, id: number) => it.settled(it.downloads.seek(it.wanted(file, id)));
  t.equal((await of(first, 1)).pace, undefined);
  const all = fetchAll(it, it.wanted(first));
  await it.until(() => (it.wrote.get(1000)?.bytes ?? 0) >= MIB);
  const busy = (await of(second, 2)).pace ?? 0;
  await it.settled(all);
  const idle = (await of(third, 3)).pace ?? 0;
  t.ok(idle > 100 && idle < 160, `${idle} bytes a millisecond`);
  t.ok(busy < idle * 0.9, `${busy} while it has others to send`);
  it.peer('unknown', [third]);
  await it.until(() => it.views.get(3)?.asked === 2 && it.views.get(3)?.pace === undefined);
  await it.stop();
});

t.test('a link that was silent until it was given up brings nothing, as far as is known, for a while', async (t) => {
  const it = scene();
  const files = Array.from({ length: 6 }, (_, n) => content(`silent ${n}`, 60_000));
  const peer = it.peer('silent', files);
  peer.stalls = true;
  const [first, second, third, fourth, fifth, sixth] = files.map((file, n) => it.wanted(file, n + 1));
  const pace = async (file: typeof first) => file && (await it.settled(it.downloads.seek(file))).pace;
  /** As a mirror is quicker. */
  const giveUp = async (file: typeof first, job: number) => {
    const outcome = it.downloads.fetch({ id: job, want: file?.id ?? 0, start: 0, end: 60_000 });
    await it.pass(300);
    it.downloads.cancel(job);
    await it.settled(outcome);
  };
  t.equal(await pace(first), undefined);
  await giveUp(first, 1000);
  t.equal(await pace(second), 0);
  await it.pass(2_000);
  t.equal(await pace(third), undefined, 'it may have come back');
  await giveUp(third, 1001);
  await it.pass(2_000);
  t.equal(await pace(fourth), 0, 'for longer the next time');
  await it.pass(2_000);
  peer.stalls = false;
  t.equal(await pace(fifth), undefined);
  t.strictSame(await it.settled(it.downloads.fetch({ id: 1002, want: 5, start: 0, end: 60_000 })), { kind: 'done' });
  t.equal(await pace(sixth), undefined, 'it brings something again');
  await it.stop();
});

t.test('unwants go together, 50 ms later or before the next want', async (t) => {
  const it = scene();
  const files = ['one', 'two', 'three'].map((name) => content(name, 1_000));
  const peer = it.peer('a', files);
  const unwants = () => peer.heard.flatMap((heard) => (heard.type === 'unwant' ? [heard.files.length] : []));
  const [first, second, third] = files.map((file, at) => it.wanted(file, at + 1));
  for (const wanted of [first, second]) if (wanted !== undefined) await it.settled(it.downloads.seek(wanted));
  const ends = it.clock.now();
  it.downloads.over(1, true);
  it.downloads.over(2, true);
  await it.pass(30);
  t.ok(it.clock.now() < ends + 50);
  t.strictSame(unwants(), []);
  await it.until(() => unwants().length > 0);
  t.strictSame(unwants(), [2]);
  if (third !== undefined) await it.settled(it.downloads.seek(third));
  it.downloads.over(3, true);
  await it.settled(it.downloads.seek(it.wanted(content('four', 1_000), 4)));
  const order = peer.heard.slice(-2).map(({ type }) => type);
  t.strictSame(order, ['unwant', 'want'], 'so that the peer counts no more open wants than there are');
  await it.stop();
});

t.test('a large file comes in several jobs at once from several peers, of which the faster give more', async (t) => {
  const it = scene();
  const file = content('large', 24 * MIB + 12_345);
  const slow = it.peer('slow', [file]);
  const fast = it.peer('fast', [file]);
  slow.rate = 0.1;
  fast.rate = 1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const outcomes = await it.settled(fetchAll(it, wanted, 4 * MIB));
  t.ok(outcomes.every(({ kind }) => kind === 'done'));
  t.ok(it.bytes(wanted).equals(file.data));
  t.ok(slow.downBytes > 0 && fast.downBytes > 3 * slow.downBytes, `${slow.downBytes} and ${fast.downBytes}`);
  t.ok(slow.downBytes + fast.downBytes < 1.2 * file.data.length, 'little comes twice');
  await it.stop();
});

t.test('links that are fast are asked for several blocks at once, also with a slow one beside them', async (t) => {
  const it = scene();
  const file = content('fast', 40 * MIB + 200_000);
  const fast = it.peer('fast', [file]);
  const slow = it.peer('slow', [file]);
  slow.rate = 0.1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  const lengths = new Set(fast.asked.map(({ length }) => length));
  t.ok(lengths.has(512 * 1024) && lengths.has(128 * 1024), 'large ones when it is known to be fast');
  t.ok(slow.asked.every(({ length }) => length <= 128 * 1024));
  t.ok(slow.downBytes + fast.downBytes < 1.1 * file.data.length, 'little comes twice');
  await it.stop();
});

t.test('a peer is asked for no more at once than it takes, and is not tried in between', async (t) => {
  const it = scene();
  const [large, small] = [content('few requests', 3 * MIB), content('small too', 900_000)];
  const peer = it.peer('a', [large, small]);
  peer.maxRequests = 2;
  peer.latency = 50;
  for (const [n, file] of [large, small].entries()) {
    const wanted = it.wanted(file, n + 1);
    await it.settled(it.downloads.seek(wanted));
    await it.pass(100);
    const jobs = fetchAll(it, wanted);
    await it.until(() => peer.waiting === 2);
    t.match(await it.settled(jobs), [{ kind: 'done' }]);
    t.ok(it.bytes(wanted).equals(file.data));
  }
  t.equal(peer.tried, peer.asked.length);
  await it.stop();
});

t.test('a request that a link does not take, though it should, is not tried again and again', async (t) => {
  const it = scene();
  const file = content('not taken', 40 * MIB);
  const peer = it.peer('a', [file]);
  peer.rate = 0.2;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const jobs = fetchAll(it, wanted);
  await it.until(() => peer.waiting >= 4);
  peer.stalls = true;
  // Not what it says it takes.
  Object.defineProperty(peer, 'waiting', { get: () => Infinity });
  const before = peer.tried;
  t.match(await it.settled(jobs), [{ kind: 'failed', code: 'NO_PEER' }]);
  t.ok(peer.tried - before < 10, `${peer.tried - before} times`);
  await it.stop();
});

t.test('of blocks that one link was asked for at once another brings some: the rest is taken', async (t) => {
  const it = scene();
  const file = content('turns slow', 24 * MIB);
  const first = it.peer('first', [file]);
  first.rate = 1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const jobs = fetchAll(it, wanted);
  await it.until(() => first.asked.some(({ length }) => length === 512 * 1024));
  // What is open on it comes late, so that others are asked for the same, block by block.
  first.rate = 0.05;
  const second = it.peer('second', [file]);
  second.rate = 0.4;
  t.match(await it.settled(jobs), [{ kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  t.ok(second.downBytes > 0);
  t.equal(first.waiting + second.waiting, 0, 'nothing is left open');
  await it.stop();
});

t.test('wants of one turn go in one message, in parts of 64, to links that share a torrent', async (t) => {
  const it = scene();
  const peer = it.peer('a');
  const foreign = it.peer('f');
  Object.assign(foreign, { common: ['cd'.repeat(20) as InfoHash] });
  const views = Array.from({ length: 100 }, (_, n) => it.downloads.seek(it.wanted(content(`${n}`, 1000 + n), n + 1)));
  const settled = await it.settled(Promise.all(views));
  t.ok(settled.every(({ asked, available }) => asked === 1 && available.length === 0));
  const counts = peer.heard.map((message) => (message.type === 'want' ? message.files.length : 0));
  t.strictSame(counts, [64, 36]);
  t.strictSame(foreign.heard, []);
  await it.stop();
});

t.test('nobody waits longer than 50 ms for answers, and not at all for nobody', async (t) => {
  const it = scene();
  const file = content('x', 1000);
  const alone = await it.downloads.seek(it.wanted(content('y', 1000), 7));
  t.equal(alone.asked, 0);
  it.peer('mute', [file]).mute = true;
  const before = it.clock.now();
  const view = await it.settled(it.downloads.seek(it.wanted(file)));
  t.strictSame(view, { asked: 1, unanswered: true, wanters: 0, available: [], elsewhere: [] });
  t.ok(it.clock.now() - before <= 60);
  await it.stop();
});

t.test('whoever has the file is asked for it, however many links came earlier that have it not', async (t) => {
  const file = content('last', 1000);
  for (const mute of [false, true]) {
    const it = scene();
    for (let n = 0; n < 160; n++) it.peer(`${n}`).mute = mute;
    it.peer('holder', [file]);
    it.peer('after it');
    const wanted = it.wanted(file);
    await it.settled(it.downloads.seek(wanted));
    await it.until(() => it.views.get(1)?.available.length === 1 || it.clock.now() > 10_000);
    t.ok(it.clock.now() <= (mute ? 4_000 : 100), `after ${it.clock.now()} ms`);
    t.strictSame(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
    await it.stop();
  }
});

t.test('of many that have the file some are asked, and others when those have it no longer', async (t) => {
  const it = scene();
  const file = content('everywhere', 3 * MIB);
  const peers = Array.from({ length: 80 }, (_, n) => it.peer(`${n}`, [file]));
  const asked = () => peers.filter(({ heard }) => heard.some(({ type }) => type === 'want')).length;
  await it.settled(it.downloads.seek(it.wanted(file)));
  await it.pass(5_000);
  t.equal(asked(), 50);
  for (const peer of peers.slice(0, 10)) peer.close({ kind: 'closed', message: 'gone' });
  await it.pass(100);
  t.equal(asked(), 60);
  await it.stop();
});

t.test('links that come later are asked too, and what they have is told', async (t) => {
  const it = scene();
  const file = content('later', 3 * MIB);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const peer = it.peer('a', [{ ...file, have: [1] }]);
  await it.until(() => it.views.get(1)?.available.length === 1);
  t.strictSame(it.views.get(1)?.available, [[MIB, 2 * MIB]]);
  t.ok(peer.interested);
  peer.gets(file, 2);
  await it.until(() => it.views.get(1)?.available[0]?.[1] === 3 * MIB);
  peer.close({ kind: 'closed', message: 'gone' });
  await it.until(() => it.views.get(1)?.available.length === 0);
  t.equal(peer.heard.filter(({ type }) => type === 'want').length, 1, 'it was asked once');
  await it.stop();
});

t.test(
  'who takes its offer back is asked anew, on the same link, and may offer again: four times in all',
  async (t) => {
    const it = scene();
    const file = content('again', 3 * MIB);
    const peer = it.peer('a', [file]);
    const wanted = it.wanted(file);
    await it.settled(it.downloads.seek(wanted));
    const available = () => it.views.get(1)?.available.length;
    for (let offers = 1; offers <= 4; offers++) {
      peer.takesBack(file);
      await it.until(() => available() === 0);
      if (offers < 4) await it.until(() => available() === 1);
      if (offers === 3)
        t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }], 'what it offers is fetched');
    }
    await it.pass(60);
    t.ok(it.bytes(wanted).equals(file.data));
    const numbers = peer.heard.flatMap((heard) => (heard.type === 'want' ? heard.files.map((each) => each.file) : []));
    t.equal(new Set(numbers).size, 4, 'no number twice');
    t.strictSame(
      peer.heard.flatMap((heard) => (heard.type === 'unwant' ? heard.files : [])),
      numbers,
      'a want that is not answered again is ended',
    );
    t.strictSame(it.bans, []);
    await it.stop();
  },
);

t.test('a choked link has nothing to give but what it allows fast', async (t) => {
  const it = scene();
  const file = content('choked', 3 * MIB);
  const peer = it.peer('a', [file]);
  peer.peerChoking = true;
  const wanted = it.wanted(file);
  t.strictSame((await it.settled(it.downloads.seek(wanted))).available, []);
  t.ok(peer.interested, 'it is told that there is something to want');
  peer.chokes(false);
  await it.until(() => it.views.get(1)?.available.length === 1);
  const job = fetchAll(it, wanted);
  await it.until(() => peer.asked.length > 0);
  peer.chokes(true);
  for (const block of peer.asked) {
    peer.cancel(block);
    it.downloads.rejected(peer, block);
  }
  const [outcome] = await it.settled(job);
  t.match(outcome, { kind: 'failed', code: 'NO_PEER' });
  peer.chokes(false);
  await it.until(() => it.views.get(1)?.available.length === 1);
  t.strictSame(it.views.get(1)?.available, [[0, 3 * MIB]], 'being choked broke no promise');
  await it.stop();
});

t.test('rejects that go before the choke which they belong to break no promise either', async (t) => {
  const it = scene();
  const file = content('choked late', 40 * MIB);
  const peer = it.peer('a', [file]);
  peer.rate = 0.2;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  // So that the window is wide, of requests for one block each.
  peer.latency = 100;
  for (let times = 0; times < 4; times++) {
    const job = fetchAll(it, wanted);
    await it.until(() => peer.waiting >= 24);
    peer.stalls = true;
    let ended = false;
    void job.finally(() => (ended = true));
    peer.rejectsAll();
    await it.pass(50);
    t.notOk(ended, 'it may be a choke');
    peer.chokes(true);
    peer.rejectsAll();
    t.match(await it.settled(job), [{ kind: 'failed', code: 'NO_PEER' }]);
    peer.stalls = false;
    peer.chokes(false);
    await it.until(() => it.views.get(1)?.available.length === 1);
    t.strictSame(it.views.get(1)?.available, [[0, 40 * MIB]]);
  }
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.strictSame(it.bans, []);
  await it.stop();
});

t.test('jobs may begin and end anywhere, and write only inside their range', async (t) => {
  const it = scene();
  const file = content('odd', 3 * MIB + 5);
  it.peer('a', [file]);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const ranges = [
    [100, 200_000],
    [200_000, 200_001],
    [MIB + 7, 3 * MIB + 5],
  ] as const;
  const jobs = ranges.map(([start, end], n) => it.downloads.fetch({ id: n, want: 1, start, end }));
  t.strictSame(await it.settled(Promise.all(jobs)), [{ kind: 'done' }, { kind: 'done' }, { kind: 'done' }]);
  const expected = Buffer.alloc(file.data.length);
  for (const [start, end] of ranges) file.data.copy(expected, start, start, end);
  t.ok(it.bytes(wanted).equals(expected));
  for (const [n, [start, end]] of ranges.entries()) {
    for (const told of it.wrote.get(n)?.ranges ?? []) t.ok(told.start >= start && told.end <= end);
  }
  t.match(await it.downloads.fetch({ id: 9, want: 1, start: 0, end: 4 * MIB }), { code: 'INTERNAL' });
  t.match(await it.downloads.fetch({ id: 9, want: 2, start: 0, end: 1 }), { code: 'CANCELLED' });
  await it.stop();
});

t.test('what is needed soonest is asked for first, whenever that was said', async (t) => {
  const it = scene();
  const file = content('soonest', 6 * MIB);
  const peer = it.peer('a', [file]);
  peer.rate = 0.1;
  const wanted = { ...it.wanted(file), focus: 2 * MIB };
  await it.settled(it.downloads.seek(wanted));
  const ranges = [4, 0, 2, 5, 3, 1].map((piece) => [piece * MIB, (piece + 1) * MIB] as const);
  const jobs = ranges.map(([start, end], n) => it.downloads.fetch({ id: n, want: 1, start, end }));
  await it.settled(Promise.all(jobs));
  const order = [...new Set(peer.asked.map(({ index }) => index - 100))];
  t.strictSame(order, [2, 3, 4, 5, 0, 1]);
  await it.stop();
});

t.test('a cancelled job ends at once, and what is asked for it is taken back', async (t) => {
  const it = scene();
  const file = content('cancel', 8 * MIB);
  const peer = it.peer('a', [file]);
  peer.rate = 0.05;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const jobs = fetchAll(it, wanted, 4 * MIB);
  await it.until(() => (it.wrote.get(1000)?.bytes ?? 0) > 0);
  it.downloads.cancel(1000);
  it.downloads.cancel(4711);
  await it.until(() => peer.asked.some(({ index }) => index >= 104));
  it.downloads.cancel(1001);
  t.match(await it.settled(jobs), [{ code: 'CANCELLED' }, { code: 'CANCELLED' }]);
  t.equal(peer.waiting, 0);
  await it.stop();
});

t.test('an over want cancels its jobs and lets the disk be', async (t) => {
  const it = scene();
  const file = content('over', 8 * MIB);
  const peer = it.peer('a', [file]);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const jobs = fetchAll(it, wanted);
  await it.until(() => peer.downBytes > MIB);
  it.downloads.over(1, false);
  t.match(await it.settled(jobs), [{ code: 'CANCELLED' }]);
  t.equal(peer.waiting, 0);
  t.strictSame(it.downloads.contributions(1), []);
  await it.stop();
});

t.test('no more is asked for than memory has room for', async (t) => {
  const it = scene();
  const files = Array.from({ length: 40 }, (_, n) => content(`file ${n}`, 2 * MIB));
  const peers = Array.from({ length: 40 }, (_, n) => it.peer(`p${n}`, [files[n] as (typeof files)[0]]));
  for (const peer of peers) peer.stalls = true;
  const wants = files.map((file, n) => it.wanted(file, n + 1));
  await it.settled(Promise.all(wants.map((wanted) => it.downloads.seek(wanted))));
  const jobs = wants.map((wanted) => fetchAll(it, wanted));
  const open = () => peers.reduce((sum, peer) => sum + peer.waiting, 0) * 131_072;
  await it.until(() => open() > 0);
  await it.pass(100);
  t.equal(open(), MAX_BYTES - KEPT_BYTES);
  const outcomes = await it.settled(Promise.all(jobs));
  t.ok(outcomes.flat().every((outcome) => outcome.kind === 'failed'));
  await it.stop();
});

t.test('the download limit is waited for', async (t) => {
  const it = scene();
  const file = content('limit', MIB);
  const peer = it.peer('a', [file]);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  let refuse = true;
  it.limit = () => (refuse ? 100 : 0);
  const job = fetchAll(it, wanted);
  await it.pass(1_000);
  t.equal(peer.asked.length, 0);
  refuse = false;
  t.match(await it.settled(job), [{ kind: 'done' }]);
  await it.stop();
});

t.test('a full disk or a missing directory ends the jobs with the store’s code', async (t) => {
  const it = scene();
  for (const [n, size] of [1000, 2 * MIB].entries()) {
    const file = content(`disk ${n}`, size);
    it.peer(`p${n}`, [file]);
    const wanted = { ...it.wanted(file, n + 1), path: '/nonexistent/partial/file' };
    await it.settled(it.downloads.seek(wanted));
    t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'failed', code: 'STORE_IO' }]);
  }
  await it.stop();
});

import t from 'tap';

import { content, fetchAll, MIB, scene, type Scene } from './scene.ts';

const flip = (data: Buffer) => {
  data[7] = (data[7] ?? 0) ^ 0xff;
  return data;
};

function banned({ bans }: Scene): string[] {
  return bans.map(({ peerId }) => Buffer.from(peerId, 'hex').toString().replaceAll('-', '')).toSorted();
}

t.test('what a silent peer was asked for comes from another, or the job ends and the view is without it', async (t) => {
  const it = scene();
  const file = content('silent', 4 * MIB);
  const silent = it.peer('silent', [file]);
  silent.stalls = true;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const [alone] = await it.settled(fetchAll(it, wanted));
  t.match(alone, { kind: 'failed', code: 'NO_PEER' });
  t.ok(it.clock.now() < 3_000, `after ${it.clock.now()} ms`);
  t.strictSame(it.views.get(1)?.available, []);
  it.peer('good', [file]);
  await it.until(() => it.views.get(1)?.available.length === 1);
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  await it.stop();
});

t.test('a slow peer that brings one block after the other is not late', async (t) => {
  const it = scene();
  const file = content('slow', 5 * MIB);
  const peer = it.peer('slow', [file]);
  // a burst out of its token bucket, and then 320 kB/s: most of what is asked for then is later than a second
  peer.corrupt = (_, data) => {
    if (peer.downBytes > MIB) peer.rate = 1 / 400;
    return data;
  };
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.ok(it.clock.now() > 5_000, `${it.clock.now()} ms`);
  t.ok(it.bytes(wanted).equals(file.data));
  t.equal(peer.cancelled, 0);
  peer.stalls = true;
  const other = it.wanted(file, 2);
  await it.settled(it.downloads.seek(other));
  t.match(await it.settled(fetchAll(it, other)), [{ code: 'NO_PEER' }], 'who is silent is');
  await it.stop();
});

t.test('a small file is not waited for longer than 300 ms, and goes to another peer first', async (t) => {
  const it = scene();
  const file = content('small', 50_000);
  it.peer('silent', [file]).stalls = true;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const begun = it.clock.now();
  t.match(await it.settled(fetchAll(it, wanted)), [{ code: 'NO_PEER' }]);
  t.ok(it.clock.now() - begun <= 330, `${it.clock.now() - begun} ms`);
  await it.stop();
});

t.test('a peer that is silent again and again is left alone for a while, and then tried again', async (t) => {
  const it = scene();
  const files = Array.from({ length: 5 }, (_, n) => content(`silent ${n}`, 1000));
  const silent = it.peer('silent', files);
  silent.stalls = true;
  for (const [n, file] of files.entries()) {
    const wanted = it.wanted(file, n + 1);
    const view = await it.settled(it.downloads.seek(wanted));
    t.equal(view.asked, n < 3 ? 1 : 0);
    if (n < 3) t.match(await it.settled(fetchAll(it, wanted)), [{ code: 'NO_PEER' }]);
  }
  silent.stalls = false;
  await it.until(() => it.views.get(1)?.available.length === 1);
  t.match(await it.settled(fetchAll(it, it.wanted(files[0] as (typeof files)[0], 1))), [{ kind: 'done' }]);
  await it.stop();
});

t.test('files that were asked for together and did not come are one silence', async (t) => {
  const it = scene();
  const files = Array.from({ length: 6 }, (_, n) => content(`together ${n}`, 1000));
  const busy = it.peer('busy', files);
  busy.stalls = true;
  const wanted = files.map((file, n) => it.wanted(file, n + 1));
  const [last] = wanted.splice(5);
  await it.settled(Promise.all(wanted.map((file) => it.downloads.seek(file))));
  const outcomes = await it.settled(Promise.all(wanted.map((file) => fetchAll(it, file))));
  t.ok(outcomes.flat().every(({ kind }) => kind === 'failed'));
  busy.stalls = false;
  const view = await it.settled(it.downloads.seek(last as (typeof wanted)[0]));
  t.match(view, { asked: 1, available: [[0, 1000]] });
  await it.stop();
});

t.test('a piece that is refused is not promised any more; who goes on like that is dropped', async (t) => {
  const it = scene();
  const file = content('refused', 80 * MIB);
  const peer = it.peer('liar', [file]);
  peer.rejects = (piece) => piece === 1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const job = it.downloads.fetch({ id: 1, want: 1, start: 0, end: 2 * MIB });
  t.match(await it.settled(job), { kind: 'failed', code: 'NO_PEER' });
  t.strictSame(it.wrote.get(1)?.covers(0, MIB), true, 'what is there was told');
  await it.until(() => it.views.get(1)?.available.length === 2);
  peer.rejects = () => true;
  for (let n = 2; n < 80 && it.bans.length === 0; n++) {
    await it.settled(it.downloads.fetch({ id: n, want: 1, start: n * MIB, end: (n + 1) * MIB }));
  }
  t.strictSame(banned(it), ['liar']);
  await it.stop();
});

t.test('leases that overlap, run out of range or come twice are a fault', async (t) => {
  const offers = {
    overlap: (file: number) => ({ type: 'offer', file, base: 101, pieces: 1 }) as const,
    'another size': (file: number) => ({ type: 'offer', file, base: 500, pieces: 2 }) as const,
    'beyond 32 bits': (file: number) => ({ type: 'offer', file, base: 2 ** 32, pieces: 1 }) as const,
    'spare bits': (file: number) => ({ type: 'offer', file, base: 500, pieces: 1, have: Buffer.from([0xc0]) }) as const,
    'never wanted': () => ({ type: 'offer', file: 77, base: 500, pieces: 1 }) as const,
  };
  for (const [name, offer] of Object.entries(offers)) {
    const it = scene();
    const [large, small] = [content('large', 3 * MIB), content('small', 1000)];
    const peer = it.peer('liar', [large]);
    await it.settled(it.downloads.seek(it.wanted(large, 1)));
    await it.settled(it.downloads.seek(it.wanted(small, 2)));
    peer.says(offer(peer.numberOf(small.sha256) ?? 0));
    t.strictSame(banned(it), ['liar'], name);
    t.equal(it.bans[0]?.fault.kind, 'protocol');
    await it.stop();
  }
  const it = scene();
  const file = content('twice', 1000);
  const peer = it.peer('liar', [file]);
  await it.settled(it.downloads.seek(it.wanted(file)));
  peer.says({ type: 'offer', file: peer.numberOf(file.sha256) ?? 0, base: 900, pieces: 1 });
  t.strictSame(banned(it), ['liar']);
  await it.stop();
});

t.test('what crosses the end of a want on its way is no fault', async (t) => {
  const it = scene();
  const file = content('crossing', 1000);
  const peer = it.peer('a');
  await it.settled(it.downloads.seek(it.wanted(file)));
  const number = peer.numberOf(file.sha256) ?? 0;
  it.downloads.over(1, true);
  peer.says({ type: 'offer', file: number, base: 500, pieces: 1 });
  peer.says({ type: 'none', files: [number] });
  peer.says({ type: 'tree', file: number, roots: Buffer.alloc(32) });
  peer.says({ type: 'retract', bases: [500] });
  it.downloads.have(peer, 500);
  it.downloads.allowedFast(peer, 500);
  t.strictSame(it.bans, []);
  await it.stop();
});

t.test('a lease that is taken back while blocks are asked for ends the job', async (t) => {
  const it = scene();
  const file = content('retract', 4 * MIB);
  const peer = it.peer('a', [file]);
  peer.rate = 0.05;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const job = fetchAll(it, wanted);
  await it.until(() => peer.downBytes > 0);
  peer.says({ type: 'retract', bases: [100] });
  t.match(await it.settled(job), [{ code: 'NO_PEER' }]);
  t.equal(peer.waiting, 0);
  await it.stop();
});

t.test('without a tree it is known who sent which bytes', async (t) => {
  const it = scene();
  const file = content('blame', 6 * MIB);
  const liar = it.peer('liar', [{ ...file, have: [0, 2, 4] }]);
  const good = it.peer('good', [{ ...file, have: [1, 3, 5] }]);
  liar.corrupt = (_, data) => flip(data);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  const written = it.bytes(wanted);
  const blocks = new Map<string, boolean>();
  for (const { peer, start, end } of it.downloads.contributions(1)) {
    const right = written.subarray(start, end).equals(file.data.subarray(start, end));
    blocks.set(peer.peerId, (blocks.get(peer.peerId) ?? true) && right);
  }
  t.strictSame(Object.fromEntries(blocks), { [liar.peerId]: false, [good.peerId]: true });
  await it.stop();
});

t.test('a peer that leaves in the middle is replaced', async (t) => {
  const it = scene();
  const file = content('leaves', 8 * MIB);
  const [a, b] = [it.peer('a', [file]), it.peer('b', [file])];
  a.rate = b.rate = 0.1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  const job = fetchAll(it, wanted);
  await it.until(() => a.downBytes > MIB && b.downBytes > MIB);
  a.close({ kind: 'closed', message: 'gone' });
  t.match(await it.settled(job), [{ kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  await it.stop();
});

t.test('the last blocks are asked for twice, and the slower one is told to leave it', async (t) => {
  const it = scene();
  const file = content('end', 4 * MIB);
  const [slow, fast] = [it.peer('slow', [file]), it.peer('fast', [file])];
  slow.rate = 0.01;
  fast.rate = 1;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.ok(slow.cancelled > 0);
  t.ok(slow.downBytes < slow.asked.length * 131_072);
  t.ok(it.bytes(wanted).equals(file.data));
  await it.stop();
});

/** Transfers with peers next to the mirror. */
import t from 'tap';

import { DebtorrentError } from '../../../src/core/errors.ts';
import type { PeerView } from '../../../src/actors/swarm/protocol.ts';
import { rejectsWith, until } from '../../kernel/contract.ts';
import { ForwardClock } from '../../kernel/fixtures/forward-clock.ts';
import { randomBytes } from '../../support/random.ts';
import { hashOf, signedPlan, startFetchStack, temporaryDirectory } from '../fixtures/fetch-stack.ts';
import { fetched, over, read, scene, status, type Scene } from '../fixtures/peers-scene.ts';
import { honest, NOBODY, peer, ScriptedPeers, TORRENT } from '../fixtures/scripted-peers.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

t.test('what peers have the mirror is not asked for, be it small or large', async (t) => {
  for (const size of [1, 60_000, 300_000, MIB, 5 * MIB + 3, 40 * MIB]) {
    const data = randomBytes(`all ${size}`, size);
    const s = await scene(t, data, honest(data));
    t.ok((await read(s, s.plan)).equals(data), `${size} bytes`);
    await over(s);
    t.equal(s.web.log.length, 0, 'the mirror saw no request');
    t.match((await status(s)).totals, { fromPeersBytes: size, fromMirrorBytes: 0, hashFailures: 0 });
    t.strictSame(s.peers.ended, [{ id: s.peers.sought[0]?.id, verified: true }]);
    t.strictSame(s.peers.verified, []);
    await until(async () => (await s.store.ref.ask('find', hashOf(data)))?.size === size);
    await s.stop();
  }
});

t.test('files from peers say so', async (t) => {
  const data = randomBytes('label', 2 * MIB);
  const s = await scene(t, data, honest(data));
  t.match(await fetched(s, s.plan), { source: 'peers', size: data.length });
});

t.test('without a link no message is sent', async (t) => {
  const data = randomBytes('alone', 300_000);
  const s = await scene(t, data, honest(data), { links: 0 });
  t.match(await fetched(s, s.plan), { source: 'mirror' });
  t.equal(s.peers.messages, 0);
  t.equal(s.web.copies('/a.deb'), 1);
});

t.test('a link that comes at the end of a transfer hears of the file', async (t) => {
  const data = randomBytes('late', 2 * MIB);
  const s = await scene(t, data, honest(data, { view: () => NOBODY }), { links: 0 });
  let release = () => undefined as void;
  s.web.rule('/a.deb', { stallAt: 0, until: new Promise<void>((resolve) => (release = resolve)) });
  const all = fetched(s, s.plan);
  await until(() => s.web.log.length > 0);
  s.peers.connect(s.transfers.ref);
  await until(() => s.peers.sought.length === 1);
  release();
  await all;
  t.strictSame(s.peers.ended, [{ id: s.peers.sought[0]?.id, verified: true }]);
});

t.test('a file without torrents is no matter of peers', async (t) => {
  const data = randomBytes('private', 300_000);
  const s = await scene(t, data, honest(data));
  t.match(await fetched(s, { ...s.plan, torrents: [] }), { source: 'mirror' });
  t.equal(s.peers.messages, 0);
});

t.test('when nobody has it the mirror is asked, and others are told what is taken and what is there', async (t) => {
  const data = randomBytes('nobody', 6 * MIB);
  const s = await scene(t, data, honest(data, { view: () => NOBODY }));
  t.match(await fetched(s, s.plan), { source: 'mirror' });
  t.equal(s.peers.jobs.length, 0);
  t.equal(s.web.copies('/a.deb'), 1);
  t.equal(s.peers.mirrored[0]?.have.length, 0);
  t.ok((s.peers.mirrored[0]?.fetching.length ?? 0) > 0);
  await until(() => s.peers.ended.length > 0);
  t.strictSame(s.peers.ended, [{ id: s.peers.sought[0]?.id, verified: true }]);
});

t.test(
  'all of a file that came from the mirror is told before the file is over, however quickly it came',
  async (t) => {
    for (const size of [1, 300_000, 2 * MIB + 5]) {
      const data = randomBytes(`quick ${size}`, size);
      const s = await scene(t, data, honest(data, { view: () => NOBODY }));
      t.match(await fetched(s, s.plan), { source: 'mirror' });
      await until(() => s.peers.ended.length > 0);
      t.strictSame(s.peers.mirrored.at(-1)?.have, [[0, size]], `${size} bytes`);
    }
  },
);

t.test('peers that do not answer hold nothing up', async (t) => {
  const data = randomBytes('silent', 300_000);
  let answer = () => undefined as void;
  const silent = new Promise<never>(
    (_resolve, reject) => (answer = () => reject(new DebtorrentError('CANCELLED', ''))),
  );
  const s = await scene(t, data, honest(data, { view: () => silent }));
  t.match(await fetched(s, s.plan), { source: 'mirror' });
  t.equal(s.web.copies('/a.deb'), 1);
  answer();
});

t.test('an answer that comes late is of use all the same', async (t) => {
  const data = randomBytes('late answer', 8 * MIB);
  let answer: (view: PeerView) => void = () => undefined;
  const late = new Promise<PeerView>((resolve) => (answer = resolve));
  const s = await scene(t, data, honest(data, { view: () => late }));
  s.web.rule('/a.deb', { rate: 256 * 1024 });
  const all = fetched(s, s.plan);
  await until(async () => ((await status(s)).transfers[0]?.from_mirror ?? 0) > 0);
  answer({ ...NOBODY, available: [[0, data.length]] });
  t.match(await all, { source: 'mixed' });
  const { fromMirrorBytes } = (await status(s)).totals;
  t.ok(fromMirrorBytes < 2 * MIB, `${fromMirrorBytes} bytes came from the mirror`);
});

t.test('peers that have half of it give that half, the mirror the other', async (t) => {
  const data = randomBytes('half', 16 * MIB);
  const view = { ...NOBODY, available: [[4 * MIB, 12 * MIB]] as const };
  const s = await scene(t, data, honest(data, { view: () => view }));
  t.match(await fetched(s, s.plan), { source: 'mixed' });
  t.match((await status(s)).totals, { fromPeersBytes: 8 * MIB, fromMirrorBytes: 8 * MIB });
  t.equal(s.web.copies('/a.deb'), 0.5);
});

t.test('peers found later take over what was not asked for yet', async (t) => {
  const data = randomBytes('later', 40 * MIB);
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const s = await scene(t, data, honest(data, { view: () => NOBODY }), { connections: 2 });
  s.web.rule('/a.deb', { hold: held });
  const all = fetched(s, s.plan);
  await until(() => s.web.log.length === 2);
  s.peers.offer({ ...NOBODY, available: [[0, data.length]] });
  await until(async () => ((await status(s)).transfers[0]?.from_peers ?? 0) >= 20 * MIB);
  release();
  // A mirror that sends nothing for a quarter of a second leaves to peers also what it was asked for.
  t.match(await all, { source: /^(mixed|peers)$/ });
  t.ok(s.web.copies('/a.deb') <= 0.5, `${s.web.copies('/a.deb')} copies`);
});

t.test('a peer that has got what a slow mirror has only begun to send gives the rest', async (t) => {
  const data = randomBytes('overtaken', MIB);
  const s = await scene(t, data, honest(data, { view: () => NOBODY }));
  s.web.rule('/a.deb', { rate: 256 * 1024 });
  const all = read(s, s.plan);
  await until(async () => ((await status(s)).transfers[0]?.from_mirror ?? 0) > 0);
  s.peers.offer({ ...NOBODY, available: [[0, data.length]] });
  t.ok((await all).equals(data));
  const { fromMirrorBytes, fromPeersBytes } = (await status(s)).totals;
  t.equal(fromMirrorBytes + fromPeersBytes, data.length, 'no byte came twice');
  t.ok(fromMirrorBytes > 0 && fromPeersBytes > 0, `${fromMirrorBytes} bytes came from the mirror`);
  t.equal(s.web.log.length, 1);
});

t.test('what a mirror will have sent in a moment is not left to peers', async (t) => {
  const data = randomBytes('nearly', MIB);
  const s = await scene(t, data, honest(data, { view: () => NOBODY }));
  s.web.rule('/a.deb', { rate: 4 * MIB });
  const all = fetched(s, s.plan);
  await until(async () => ((await status(s)).transfers[0]?.from_mirror ?? 0) > 0);
  s.peers.offer({ ...NOBODY, available: [[0, data.length]] });
  t.match(await all, { source: 'mirror' });
});

t.test(
  'a mirror that has begun with what another takes for all is left to it, unless a quarter has come',
  async (t) => {
    for (const [quarters, source] of [
      [0.5, 'peers'],
      [1.5, 'mirror'],
    ] as const) {
      const data = randomBytes(`left ${quarters}`, MIB);
      let release = () => undefined as void;
      const held = new Promise<void>((resolve) => (release = resolve));
      const s = await scene(t, data, honest(data, { view: () => NOBODY }));
      s.web.rule('/a.deb', { stallAt: Math.floor((quarters * MIB) / 4), until: held });
      const all = fetched(s, s.plan);
      await until(async () => ((await status(s)).transfers[0]?.from_mirror ?? 0) >= Math.floor((quarters * MIB) / 4));
      s.peers.offer({ ...NOBODY, elsewhere: [[0, data.length]] });
      if (source === 'peers') {
        await until(() => s.peers.mirrored.at(-1)?.fetching.length === 0);
        s.peers.offer({ ...NOBODY, available: [[0, data.length]] });
        t.match(await all, { source: 'mixed' }, 'the rest comes from the other');
      }
      release();
      if (source === 'mirror') t.match(await all, { source });
      t.equal(s.web.log.length, 1);
    }
  },
);

t.test('as long as somebody has not answered the mirror is asked for one piece after the other', async (t) => {
  const data = randomBytes('stragglers', 8 * MIB);
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const s = await scene(t, data, honest(data, { view: () => ({ ...NOBODY, unanswered: true }) }));
  s.web.rule('/a.deb', { hold: held });
  const begun = Date.now();
  const all = fetched(s, s.plan);
  await until(() => s.web.log.length === 1);
  t.equal(s.web.log[0]?.headers['range'], 'bytes=0-1048575');
  await until(() => s.web.log.length === 4);
  t.ok(Date.now() - begun >= 300, 'not for ever');
  release();
  t.match(await all, { source: 'mirror' });
  t.equal(s.web.copies('/a.deb'), 1);
});

t.test('machines that fetch the same together share the connections to the mirror', async (t) => {
  for (const [wanters, connections] of [
    [0, 4],
    [1, 2],
    [7, 1],
  ] as const) {
    const data = randomBytes(`share ${wanters}`, 8 * MIB);
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const s = await scene(t, data, honest(data, { view: () => ({ ...NOBODY, wanters }) }));
    s.web.rule('/a.deb', { hold: held });
    const all = fetched(s, s.plan);
    await until(() => s.web.log.length === connections);
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(s.web.log.length, connections, `${connections} connections with ${wanters} others`);
    release();
    t.match(await all, { source: 'mirror' });
  }
});

t.test('a link that comes in the middle is made use of', async (t) => {
  const data = randomBytes('link', 40 * MIB);
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  // The rest is the mirror's, however late its turn comes.
  const view = { ...NOBODY, available: [[0, 36 * MIB]] as const };
  const s = await scene(t, data, honest(data, { view: () => view }), { connections: 2, links: 0 });
  s.web.rule('/a.deb', { hold: held });
  const all = fetched(s, s.plan);
  await until(() => s.web.log.length === 2);
  s.peers.connect(s.transfers.ref);
  await until(async () => ((await status(s)).transfers[0]?.from_peers ?? 0) >= 20 * MIB);
  release();
  t.match(await all, { source: 'mixed' });
});

t.test('transfers that begin when there are links already make use of them', async (t) => {
  const data = randomBytes('late', 3 * MIB);
  const peers = new ScriptedPeers(t, honest(data));
  peers.links = { [TORRENT]: 1 };
  const s = await startFetchStack(t, { root: await temporaryDirectory(t), peers: peers.actor.ref });
  peers.sink = s.transfers.ref;
  const plan = { ...signedPlan('http://127.0.0.1:1/a.deb', data), torrents: [TORRENT] };
  t.match(await fetched(s, plan), { source: 'peers' });
});

t.test('what others take from the mirror is left to them, and taken when they do not', async (t) => {
  const data = randomBytes('elsewhere', 8 * MIB);
  const first = { ...NOBODY, elsewhere: [[2 * MIB, 8 * MIB]] as const };
  const s = await scene(t, data, honest(data, { view: () => first }));
  const all = fetched(s, s.plan);
  await until(async () => (await status(s)).transfers[0]?.from_mirror === 2 * MIB);
  s.peers.offer({ ...NOBODY, available: [[2 * MIB, 5 * MIB]], elsewhere: [[5 * MIB, 8 * MIB]] });
  await until(async () => (await status(s)).transfers[0]?.from_peers === 3 * MIB);
  t.equal(s.web.copies('/a.deb'), 0.25);
  s.peers.offer(NOBODY);
  t.match(await all, { source: 'mixed' });
  t.match((await status(s)).totals, { fromPeersBytes: 3 * MIB, fromMirrorBytes: 5 * MIB });
  t.ok(s.peers.mirrored.every(({ have }) => have.every(([start, end]) => end <= 2 * MIB || start >= 5 * MIB)));
});

t.test('whoever waits for others does not wait for a swarm that has died', async (t) => {
  const data = randomBytes('dead', 3 * MIB);
  const view = { ...NOBODY, elsewhere: [[0, 3 * MIB]] as const };
  const s = await scene(t, data, honest(data, { view: () => view }));
  const all = fetched(s, s.plan);
  await until(() => s.peers.sought.length === 1);
  await s.peers.actor.stop();
  t.match(await all, { source: 'mirror' });
});

t.test('when nothing came for a while of what others promise, nothing of the file is left to them', async (t) => {
  const data = randomBytes('in vain', 16 * MIB);
  const view = (end: number) => ({ ...NOBODY, wanters: 1, elsewhere: [[0, end]] as const });
  const clock = new ForwardClock();
  const s = await scene(t, data, honest(data, { view: () => view(data.length) }), { clock });
  let turn = 0;
  // Another one each time, as far as the transfers can see.
  const promise = () => s.peers.offer(view(data.length - (++turn % 2)));
  const promises = setInterval(promise, 100);
  t.teardown(() => clearInterval(promises));
  const begun = clock.now();
  const all = fetched(s, s.plan);
  // The last byte is not promised always.
  const isAsked = () => s.web.log.some(({ headers }) => headers['range']?.startsWith('bytes=0-') === true);
  await until(() => {
    if (isAsked()) return true;
    promise();
    clock.forward(500);
    return false;
  });
  t.ok(clock.now() - begun >= 16_000, 'as long as APT can wait');
  t.match(await all, { source: 'mirror' });
  t.equal(s.web.copies('/a.deb'), 1);
});

t.test('peers that stall are hedged with the mirror, soonest needed first', async (t) => {
  const data = randomBytes('stall', 12 * MIB);
  const s = await scene(
    t,
    data,
    honest(data, {
      block: (_job, start, end) =>
        start >= 2 * MIB ? undefined : { from: peer('slow'), bytes: data.subarray(start, end) },
    }),
  );
  t.ok((await read(s, s.plan)).equals(data));
  t.match((await status(s)).totals, { fromPeersBytes: 2 * MIB });
  // Ten twelfths; where processors are busy, the mirror is asked anew for a part of what it has begun with.
  t.ok(s.web.copies('/a.deb') < 1, `${s.web.copies('/a.deb')} copies`);
  t.match(s.web.log[0]?.headers['range'], /^bytes=2097152-/);
});

t.test('among machines that want the same what is needed soonest is waited for while other pieces come', async (t) => {
  for (const wanters of [0, 3]) {
    const data = randomBytes(`busy ${wanters}`, 12 * MIB);
    let begun: number | undefined;
    const enough = () => (wanters === 0 ? s.web.log.length > 0 : Date.now() >= (begun ??= Date.now()) + 1_300);
    const late = (start: number) => start < 4 * MIB && !enough();
    const s: Scene = await scene(
      t,
      data,
      honest(data, {
        view: () => ({ ...NOBODY, wanters, available: [[0, data.length]] }),
        delayMs: 70,
        block: (_job, start, end) =>
          late(start) ? undefined : { from: peer('busy'), bytes: data.subarray(start, end) },
      }),
    );
    t.ok((await read(s, s.plan)).equals(data));
    if (wanters === 0) t.ok(s.web.log.length > 0, 'alone this machine has the mirror bring it');
    else t.equal(s.web.log.length, 0);
  }
});

t.test('peers that are much slower than the mirror was are helped by it', async (t) => {
  const data = randomBytes('rate', 6 * MIB);
  const s = await scene(t, data, honest(data, { delayMs: 300 }));
  const other = randomBytes('measure', 2 * MIB);
  s.web.rule('/measure', { content: other });
  await fetched(s, { ...signedPlan(`${s.web.url}/measure`, other) });
  t.match(await fetched(s, s.plan), { source: 'mixed' });
  const { fromPeersBytes, fromMirrorBytes } = (await status(s)).totals;
  t.ok(fromPeersBytes > 0);
  t.ok(fromPeersBytes + fromMirrorBytes - other.length <= data.length + 4 * MIB, 'few bytes come twice');
});

t.test('when the mirror is down and peers are slow, peers it is', async (t) => {
  const data = randomBytes('down', 2 * MIB);
  let stalled = true;
  const s = await scene(
    t,
    data,
    honest(data, {
      block: (_job, start, end) =>
        stalled && start >= MIB ? undefined : { from: peer('slow'), bytes: data.subarray(start, end) },
    }),
  );
  await s.web.down();
  const all = fetched(s, s.plan);
  setTimeout(() => (stalled = false), 3000);
  t.match(await all, { source: 'peers' });
});

t.test('jobs that fail fall back to the mirror, and are no fault of it', async (t) => {
  const data = randomBytes('fail', 20 * MIB);
  const s = await scene(
    t,
    data,
    honest(data, { fail: () => ({ kind: 'failed', code: 'CANCELLED', message: 'nobody gives it' }) }),
  );
  t.match(await fetched(s, s.plan), { source: 'mirror' });
  t.equal(s.web.copies('/a.deb'), 1);
});

t.test('a swarm that dies in the middle leaves the file to the mirror', async (t) => {
  const data = randomBytes('dies', 30 * MIB);
  const s = await scene(t, data, honest(data, { delayMs: 2 }));
  const all = read(s, s.plan);
  await until(async () => ((await status(s)).transfers[0]?.from_peers ?? 0) >= 3 * MIB);
  await s.peers.actor.stop();
  t.ok((await all).equals(data));
  t.ok(s.web.copies('/a.deb') <= 0.95, `${s.web.copies('/a.deb')} copies`);
});

t.test('a swarm that dies in the middle while the mirror is down: both are named', async (t) => {
  const data = randomBytes('both', 30 * MIB);
  const s = await scene(t, data, honest(data, { delayMs: 2 }));
  await s.web.down();
  const all = read(s, s.plan);
  all.catch(() => undefined);
  await until(async () => ((await status(s)).transfers[0]?.from_peers ?? 0) >= 3 * MIB);
  await s.peers.actor.stop();
  await rejectsWith(t, all, 'MIRROR_UNREACHABLE', /no peer is left that gives the rest, and .*ECONNREFUSED/);
});

t.test('two clients and peers are one transfer', async (t) => {
  const data = randomBytes('two', 12 * MIB);
  const s = await scene(t, data, honest(data, { delayMs: 1 }));
  const [one, two] = await Promise.all([read(s, s.plan), read(s, s.plan, [], 5 * MIB)]);
  t.ok(one.equals(data));
  t.ok(two.equals(data.subarray(5 * MIB)));
  t.equal(s.peers.sought.length, 1);
  t.match((await status(s)).totals, { fromPeersBytes: data.length, fromMirrorBytes: 0 });
});

t.test('what was interrupted is resumed from peers', async (t) => {
  const root = await temporaryDirectory(t);
  const data = randomBytes('resume', 12 * MIB);
  const first = await scene(t, data, honest(data, { delayMs: 5 }), { root });
  const waiting = fetched(first, first.plan).catch((error: unknown) => error);
  await until(async () => ((await status(first)).transfers[0]?.received ?? 0) >= 4 * MIB);
  await first.stop();
  t.match(await waiting, { code: /STOPPING|ACTOR_STOPPED/ });
  const second = await scene(t, data, honest(data), { root });
  t.ok((await read(second, second.plan)).equals(data));
  t.equal(second.web.log.length, 0);
  t.ok((await status(second)).totals.fromPeersBytes <= data.length - 4 * MIB);
});

t.test('a mirror without ranges and peers that have a part: the file is right', async (t) => {
  const data = randomBytes('no ranges', 9 * MIB);
  const view = { ...NOBODY, available: [[0, 5 * MIB]] as const };
  const s = await scene(t, data, honest(data, { view: () => view }));
  s.web.rule('/a.deb', { ignoreRange: true });
  t.match(await fetched(s, s.plan), { sha256: hashOf(data) });
});

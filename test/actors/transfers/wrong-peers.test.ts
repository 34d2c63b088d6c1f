/** Peers that send wrong bytes, or go on when they should not: the file is right, and who is to blame is banned. */
import { readFile, writeFile } from 'node:fs/promises';

import t from 'tap';

import { rejectsWith, until } from '../../kernel/contract.ts';
import { ForwardClock } from '../../kernel/fixtures/forward-clock.ts';
import { randomBytes } from '../../support/random.ts';
import { hashOf, signedPlan, temporaryDirectory } from '../fixtures/fetch-stack.ts';
import { fetched, read, scene, status } from '../fixtures/peers-scene.ts';
import { honest, peer, type Script } from '../fixtures/scripted-peers.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

/** Two peers take turns at blocks; one of them alters one byte of each block that `bad` says. */
function twoPeers(data: Buffer, bad: (start: number) => boolean): Script {
  return honest(data, {
    block(_job, start, end) {
      if ((start / (128 * 1024)) % 2 === 0) return { from: peer('good'), bytes: data.subarray(start, end) };
      const bytes = Buffer.from(data.subarray(start, end));
      if (bad(start)) bytes[77] = (bytes[77] ?? 0) ^ 1;
      return { from: peer('bad'), bytes };
    },
  });
}

t.test('wrong bytes from one of two peers: exactly that one is banned, and the file is right', async (t) => {
  for (const [what, size, bad] of [
    ['one block of a large file', 9 * MIB, (start: number) => start === 128 * 1024 * 11],
    ['all blocks of a small one', 200_000, () => true],
  ] as const) {
    const data = randomBytes(what, size);
    const s = await scene(t, data, twoPeers(data, bad));
    t.match(await fetched(s, s.plan), { sha256: hashOf(data), source: 'mixed' }, what);
    await until(() => s.peers.banned.length > 0);
    t.strictSame(s.peers.banned, [peer('bad')]);
    t.strictSame(s.peers.ended, [{ id: s.peers.sought[0]?.id, verified: false }]);
    t.strictSame(s.peers.verified, [hashOf(data)]);
    t.equal(s.web.copies('/a.deb'), 1);
    t.match((await status(s)).totals, { hashFailures: 1 });
    await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
    t.ok((await readFile(s.layout.file(hashOf(data)))).equals(data));
    await s.stop();
  }
});

t.test('whoever read wrong bytes is told so, and the next try is right', async (t) => {
  const data = randomBytes('readers', 8 * MIB);
  const s = await scene(
    t,
    data,
    twoPeers(data, (start) => start === 128 * 1024 * 21),
  );
  const got: Buffer[] = [];
  await t.rejects(read(s, s.plan, got), { code: 'HASH_MISMATCH' });
  t.ok(Buffer.concat(got).length <= data.length - 16 * 1024, 'the last block was held back');
  t.ok((await read(s, s.plan)).equals(data));
  await until(() => s.peers.banned.length > 0);
});

t.test('when only bytes that nobody has read were wrong, nobody notices', async (t) => {
  const data = randomBytes('last', 8 * MIB + 10_000);
  const s = await scene(
    t,
    data,
    honest(data, {
      block(_job, start, end) {
        const bytes = Buffer.from(data.subarray(start, end));
        if (end === data.length) bytes[77] = (bytes[77] ?? 0) ^ 1;
        return { from: peer(end === data.length ? 'bad' : 'good'), bytes };
      },
    }),
  );
  t.ok((await read(s, s.plan)).equals(data));
  await until(() => s.peers.banned.length > 0);
  t.strictSame(s.peers.banned, [peer('bad')]);
});

t.test('nobody is banned for what an earlier transfer left', async (t) => {
  const root = await temporaryDirectory(t);
  const data = randomBytes('left', 12 * MIB);
  const first = await scene(t, data, honest(data, { delayMs: 5 }), { root });
  const waiting = fetched(first, first.plan).catch((error: unknown) => error);
  await until(async () => ((await status(first)).transfers[0]?.received ?? 0) >= 4 * MIB);
  await first.stop();
  await waiting;
  const path = first.layout.partial(hashOf(data) as never);
  const left = await readFile(path);
  left[5000] = (left[5000] ?? 0) ^ 1;
  await writeFile(path, left);
  const second = await scene(t, data, honest(data), { root });
  t.match(await fetched(second, second.plan), { sha256: hashOf(data) });
  t.strictSame(second.peers.banned, []);
});

t.test('when nobody can say who sent what, the file is mended and nobody is banned', async (t) => {
  const data = randomBytes('nameless', 5 * MIB);
  const s = await scene(
    t,
    data,
    twoPeers(data, () => true),
  );
  s.peers.forgetful = true;
  t.match(await fetched(s, s.plan), { sha256: hashOf(data), source: 'mixed' });
  t.strictSame(s.peers.banned, []);
});

t.test('when peers and the mirror are wrong nobody gets the file, and no peer is banned', async (t) => {
  const data = randomBytes('both', 5 * MIB);
  const s = await scene(
    t,
    data,
    twoPeers(data, () => true),
  );
  s.web.rule('/a.deb', { garbage: true });
  await rejectsWith(t, fetched(s, s.plan), 'HASH_MISMATCH');
  t.strictSame(s.peers.banned, []);
  t.equal(await s.store.ref.ask('find', hashOf(data)), undefined);
});

t.test('wrong bytes of slow peers, hedged with the mirror: the file is right, whoever was last', async (t) => {
  const data = randomBytes('hedged', 6 * MIB);
  const wrong = Buffer.alloc(128 * 1024);
  const s = await scene(
    t,
    data,
    honest(data, {
      delayMs: 130,
      block: (_job, start, end) => ({
        from: peer(start % MIB === 0 ? 'bad' : 'good'),
        bytes: start % MIB === 0 ? wrong : data.subarray(start, end),
      }),
    }),
  );
  const other = randomBytes('measure', 2 * MIB);
  s.web.rule('/measure', { content: other });
  await fetched(s, signedPlan(`${s.web.url}/measure`, other));
  t.match(await fetched(s, s.plan), { sha256: hashOf(data) });
  t.notOk(s.peers.banned.some(({ peerId }) => peerId === 'good'));
  await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
  t.ok((await readFile(s.layout.file(hashOf(data)))).equals(data));
});

t.test('jobs that do not end when they are cancelled cannot spoil the file', async (t) => {
  const data = randomBytes('deaf', 3 * MIB);
  const clock = new ForwardClock();
  const s = await scene(t, data, honest(data, { deaf: true, block: () => undefined }), { clock });
  const all = fetched(s, s.plan);
  await until(() => s.peers.cancelled.size > 0);
  clock.forward(8_000);
  t.match(await all, { sha256: hashOf(data), source: 'mirror' });
  s.peers.script = honest(data, {
    block: (_job, start, end) => ({ from: peer('late'), bytes: Buffer.alloc(end - start) }),
  });
  await until(async () => (await s.store.ref.ask('find', hashOf(data))) !== undefined);
  t.ok((await readFile(s.layout.file(hashOf(data)))).equals(data));
});

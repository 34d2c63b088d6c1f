import { renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import t from 'tap';

import { content, fetchAll, MIB, scene, type Scene } from './scene.ts';

const flip = (data: Buffer) => {
  data[7] = (data[7] ?? 0) ^ 0xff;
  return data;
};

function banned({ bans }: Scene): string[] {
  return bans.map(({ peerId }) => Buffer.from(peerId, 'hex').toString().replaceAll('-', '')).toSorted();
}

t.test('under an agreed tree wrong pieces are never told, come from others, and their sender is banned', async (t) => {
  const it = scene();
  const file = content('wrong', 8 * MIB);
  const peers = ['good1', 'good2', 'wrong'].map((name) => it.peer(name, [file]));
  const wrong = peers[2] as (typeof peers)[0];
  wrong.corrupt = (piece, data) => (piece % 2 === 0 ? flip(data) : data);
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  await it.until(() => peers.every(({ heard }) => heard.some(({ type }) => type === 'tree-request')));
  await it.pass(5);
  t.match(await it.settled(fetchAll(it, wanted, 4 * MIB)), [{ kind: 'done' }, { kind: 'done' }]);
  t.ok(it.bytes(wanted).equals(file.data));
  t.equal(it.agreed.size, 8, 'pieces that matched may be passed on');
  it.downloads.over(1, true);
  await it.until(() => it.bans.length > 0);
  t.strictSame(banned(it), ['wrong']);
  await it.stop();
});

t.test('who gets the last piece later is asked for its tree then', async (t) => {
  const it = scene();
  const file = content('late', 2 * MIB);
  const whole = it.peer('whole', [file]);
  const late = it.peer('late', [{ ...file, have: [0] }]);
  const asksTree = ({ heard }: typeof late) => heard.some(({ type }) => type === 'tree-request');
  await it.settled(it.downloads.seek(it.wanted(file)));
  await it.until(() => asksTree(whole));
  t.notOk(asksTree(late));
  late.gets(file, 1);
  await it.until(() => asksTree(late));
  await it.stop();
});

t.test('who told lying roots is banned when the file is right in spite of them', async (t) => {
  for (const others of [1, 2]) {
    const it = scene();
    const file = content('roots', 6 * MIB);
    const liar = it.peer('liar', [file]);
    liar.lie = (roots) => {
      for (let piece = 0; piece < 6; piece++) flip(roots.subarray(piece * 32));
      return roots;
    };
    // They have the file in part, so that nobody asks them for roots.
    const most = { ...file, have: [0, 1, 2, 3, 4] };
    for (let n = 0; n < others; n++) it.peer(`good${n}`, [most]);
    const wanted = it.wanted(file);
    await it.settled(it.downloads.seek(wanted));
    await it.until(() => liar.heard.some(({ type }) => type === 'tree-request'));
    await it.pass(5);
    liar.stalls = true;
    await it.settled(fetchAll(it, wanted, MIB));
    // The rest comes from the mirror.
    const path = join(dirname(wanted.path), `final-${file.sha256}`);
    writeFileSync(wanted.path, file.data);
    renameSync(wanted.path, path);
    it.downloads.over(1, true);
    await it.until(() => it.bans.length > 0);
    t.strictSame(banned(it), ['liar'], `${others} others`);
    await it.stop();
  }
});

t.test('who sends pieces that are not those of its own tree is banned on the spot', async (t) => {
  const it = scene();
  const file = content('own', 4 * MIB);
  const liar = it.peer('liar', [file]);
  liar.corrupt = (_, data) => flip(data);
  it.peer('half', [{ ...file, have: [0] }]).stalls = true;
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  await it.until(() => liar.heard.some(({ type }) => type === 'tree-request'));
  await it.pass(5);
  await it.settled(fetchAll(it, wanted));
  t.strictSame(banned(it), ['liar']);
  await it.stop();
});

t.test('who told roots that all pieces matched is banned when the file is wrong', async (t) => {
  const it = scene();
  const file = content('right', 3 * MIB);
  const fake = { sha256: file.sha256, data: content('fake', 3 * MIB).data };
  const liars = ['liar1', 'liar2'].map((name) => it.peer(name, [fake]));
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  await it.until(() => liars.every(({ heard }) => heard.some(({ type }) => type === 'tree-request')));
  await it.pass(5);
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  t.equal(it.downloads.contributions(1).length > 0, true);
  it.downloads.over(1, false);
  await it.until(() => it.bans.length === 2);
  t.strictSame(banned(it), ['liar1', 'liar2']);
  await it.stop();
});

t.test('who told roots that wrong pieces matched is banned when those were put right', async (t) => {
  const it = scene();
  const file = content('right', 3 * MIB);
  const fake = { sha256: file.sha256, data: content('fake', 3 * MIB).data };
  const liars = ['liar1', 'liar2'].map((name) => it.peer(name, [fake]));
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  await it.until(() => liars.every(({ heard }) => heard.some(({ type }) => type === 'tree-request')));
  await it.pass(5);
  t.match(await it.settled(it.downloads.fetch({ id: 1, want: 1, start: 0, end: 2 * MIB })), { kind: 'done' });
  it.downloads.mirrored(1, [[2 * MIB, 3 * MIB]], []);
  t.equal(it.downloads.contributions(1).length > 0, true, 'the transfers look whether the swarm is there');
  it.downloads.mirrored(1, [[0, 2 * MIB]], [[2 * MIB, 3 * MIB]]);
  writeFileSync(wanted.path, file.data);
  it.downloads.over(1, true);
  await it.until(() => it.bans.length === 2);
  t.strictSame(banned(it), ['liar1', 'liar2']);
  await it.stop();
});

t.test('a want that ends for other reasons is nobody’s fault', async (t) => {
  const it = scene();
  const file = content('fine', 3 * MIB);
  const peers = ['a', 'b'].map((name) => it.peer(name, [file]));
  const wanted = it.wanted(file);
  await it.settled(it.downloads.seek(wanted));
  await it.until(() => peers.every(({ heard }) => heard.some(({ type }) => type === 'tree-request')));
  await it.pass(5);
  t.match(await it.settled(fetchAll(it, wanted)), [{ kind: 'done' }]);
  it.downloads.over(1, false);
  await it.pass(50);
  t.strictSame(it.bans, []);
  await it.stop();
});

t.test('trees that nobody asked for, or of another size, are a fault', async (t) => {
  for (const asked of [false, true]) {
    const it = scene();
    const file = content('tree', 3 * MIB);
    const liar = it.peer('liar', [file]);
    liar.lie = () => Buffer.alloc(64);
    if (asked) it.peer('good', [{ ...file, have: [0] }]);
    await it.settled(it.downloads.seek(it.wanted(file)));
    if (!asked) liar.says({ type: 'tree', file: 1, roots: Buffer.alloc(96) });
    await it.until(() => it.bans.length > 0);
    t.strictSame(banned(it), ['liar']);
    await it.stop();
  }
});

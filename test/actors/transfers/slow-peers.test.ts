/** Peers that bring what they have, but take so long for it that the mirror alone would be done sooner. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { signedPlan, startFetchStack, temporaryDirectory } from '../fixtures/fetch-stack.ts';
import { honest, NOBODY, ScriptedPeers, TORRENT } from '../fixtures/scripted-peers.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

/** A mirror and peers that have the same; `fetch` is for one of its files. */
async function scene(t: Test, files: Readonly<Record<string, Buffer>>) {
  const root = await temporaryDirectory(t);
  await mkdir(root, { recursive: true });
  for (const [name, data] of Object.entries(files)) await writeFile(join(root, name), data);
  const web = await Mirror.start({ root });
  t.teardown(() => web.close());
  const peers = new ScriptedPeers(t, honest(Buffer.alloc(0)));
  const stack = await startFetchStack(t, { root: await temporaryDirectory(t), peers: peers.actor.ref });
  peers.connect(stack.transfers.ref);
  const fetch = (name: string) => {
    const plan = { ...signedPlan(`${web.url}/${name}`, files[name] as Buffer), torrents: [TORRENT] };
    return stack.transfers.ref.within(60_000).ask('fetch', plan);
  };
  const fromMirror = async () => (await stack.transfers.ref.ask('status')).totals.fromMirrorBytes;
  return { web, peers, fetch, fromMirror };
}

t.test('a mirror of which nothing is known is tried out, and brings what slow peers have not', async (t) => {
  const data = randomBytes('unmeasured', 24 * MIB);
  const { peers, fetch, fromMirror } = await scene(t, { 'a.deb': data });
  // Never silent for so long that it would be a stall.
  peers.script = honest(data, { delayMs: 400 });
  t.match(await fetch('a.deb'), { source: 'mixed' });
  const bytes = await fromMirror();
  t.ok(bytes >= 4 * MIB, `${bytes} bytes came from the mirror`);
});

t.test('a mirror that gives each connection little helps peers that bring more than one of these', async (t) => {
  const [known, data] = [randomBytes('all connections', 8 * MIB), randomBytes('more than one', 16 * MIB)];
  const { web, peers, fetch, fromMirror } = await scene(t, { 'known.deb': known, 'a.deb': data });
  web.rule(/deb$/, { rate: MIB });
  peers.script = honest(known, { view: () => NOBODY });
  t.match(await fetch('known.deb'), { source: 'mirror' });
  peers.script = honest(data, { delayMs: 300 });
  t.match(await fetch('a.deb'), { source: 'mixed' });
  const bytes = (await fromMirror()) - known.length;
  t.ok(bytes >= MIB, `${bytes} bytes came from the mirror`);
});

t.test('so does one of which nothing is known, whose first connection is slower than they are', async (t) => {
  const data = randomBytes('unmeasured, little for each', 16 * MIB);
  const { web, peers, fetch, fromMirror } = await scene(t, { 'a.deb': data });
  web.rule(/deb$/, { rate: MIB / 2 });
  peers.script = honest(data, { delayMs: 400 });
  t.match(await fetch('a.deb'), { source: 'mixed' });
  const bytes = await fromMirror();
  t.ok(bytes >= 4 * MIB, `${bytes} bytes came from the mirror`);
});

t.test(
  'what the mirror leaves to peers is asked of them at once, though these are busy with what is needed later',
  async (t) => {
    const data = randomBytes('left', 16 * MIB);
    const { web, peers, fetch } = await scene(t, { 'a.deb': data });
    web.rule(/deb$/, { rate: 200_000 });
    const all = honest(data);
    let begun = false;
    peers.script = {
      ...all,
      // The mirror is waited for no longer, and its bytes come.
      view: async (file) => {
        await until(() => web.requests('/a.deb').length > 0);
        return all.view(file);
      },
      block: (job, start, end) => {
        begun ||= job.start < MIB;
        return begun ? all.block(job, start, end) : undefined;
      },
    };
    t.match(await fetch('a.deb'), { source: 'mixed' });
    t.ok(peers.jobs.findIndex(({ start }) => start < MIB) > 0, 'they were busy');
  },
);

t.test('a file that known peers would be long about comes from a mirror that is faster', async (t) => {
  const names = ['slow.deb', 'soon.deb', 'large.deb', 'failing.deb', 'hanging.deb'];
  const small = (name: string) => randomBytes(name, name === 'large.deb' ? 5 * MIB : 300_000);
  const files: Record<string, Buffer> = {
    'known.deb': randomBytes('known', MIB),
    ...Object.fromEntries(names.map((each) => [each, small(each)])),
  };
  const { web, peers, fetch } = await scene(t, files);
  peers.script = honest(Buffer.alloc(0), { view: () => NOBODY });
  t.match(await fetch('known.deb'), { source: 'mirror' });
  const offer = (name: string, pace: number) => {
    const data = files[name] as Buffer;
    peers.script = honest(data, { view: () => ({ ...NOBODY, available: [[0, data.length]], pace }) });
  };

  offer('slow.deb', 300);
  t.match(await fetch('slow.deb'), { source: 'mirror' });
  t.equal(peers.jobs.length, 0);
  t.equal(web.copies('/slow.deb'), 1);

  offer('soon.deb', 1_000);
  t.match(await fetch('soon.deb'), { source: 'peers' }, 'what they bring soon is theirs');

  offer('large.deb', 300);
  const before = peers.jobs.length;
  await fetch('large.deb');
  t.ok(peers.jobs.length > before, 'large files are divided');

  offer('failing.deb', 300);
  web.rule('/failing.deb', { status: 503 });
  t.match(await fetch('failing.deb'), { source: 'peers' });

  offer('hanging.deb', 300);
  web.rule('/hanging.deb', { hold: new Promise(() => undefined) });
  const all = fetch('hanging.deb');
  await until(() => web.requests('/hanging.deb').length > 0);
  t.match(await all, { source: 'peers' });
});

t.test('what a mirror is sending is not left to peers that are known to be slower', async (t) => {
  const data = randomBytes('not left', 6 * MIB);
  const { web, peers, fetch } = await scene(t, { 'a.deb': data });
  web.rule(/deb$/, { rate: 400_000 });
  peers.script = {
    ...honest(data, { delayMs: 2_000 }),
    // The mirror is waited for no longer, and its bytes come.
    view: async () => {
      await until(() => web.requests('/a.deb').length > 0);
      return { ...NOBODY, available: [[0, data.length]], pace: 60 };
    },
  };
  t.match(await fetch('a.deb'), { source: 'mixed' });
  t.strictSame(
    peers.jobs.filter(({ start }) => start < MIB),
    [],
    'the piece that the mirror began with',
  );
});

/** Whole transactions of stock APT: what the daemon is told of them, in which order they end, what people see. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerResponse } from 'node:http';
import t from 'tap';

import { Apt } from '../support/apt.ts';
import { Archive } from '../support/archive.ts';
import { makeKeys } from '../support/keys.ts';
import type { PackageSpec } from '../support/package-spec.ts';
import { hasCommand, skipWithout, skipWithoutApt } from '../support/process.ts';
import { randomNumbers } from '../support/random.ts';
import { downloaded, hashesOf } from '../support/scene.ts';
import { Terminal } from '../support/terminal.ts';
import { FakeDaemon } from './fixtures/fake-daemon.ts';

t.setTimeout(600_000);

interface Stage {
  readonly archive: Archive;
  readonly daemon: FakeDaemon;
  readonly apt: Apt;
  readonly names: readonly string[];
}

/** An archive, a daemon that has it, and APT that knows its lists. */
async function stage(
  t: { name: string; teardown(step: () => unknown): void },
  add: readonly PackageSpec[],
): Promise<Stage> {
  const keys = makeKeys();
  const archive = new Archive({ keys, seed: t.name }).publish({ add });
  const daemon = await FakeDaemon.start();
  daemon.files = (path) => {
    try {
      return readFileSync(join(archive.root, path));
    } catch {
      return undefined;
    }
  };
  const apt = new Apt({
    uri: `http://mirror.example${archive.url('').replace(/\/$/, '')}`,
    suite: `${archive.suite} main`,
    keyring: keys.keyring,
    form: 'method',
    daemon: `http://127.0.0.1:${daemon.port}`,
  });
  t.teardown(async () => {
    apt.close();
    await daemon.close();
    archive.close();
    keys.close();
  });
  const updated = await apt.update();
  if (updated.code !== 0) throw new Error(updated.output);
  daemon.wants.length = 0;
  daemon.requests.length = 0;
  return { archive, daemon, apt, names: add.map(({ name }) => name) };
}

t.test(
  'stock APT: all of 300 packages are known before one is fetched, and end in any order',
  { skip: skipWithoutApt },
  async (t) => {
    const packages = Array.from({ length: 300 }, (_, n) => ({ name: `pkg${n}`, size: 500 + ((n * 7919) % 9000) }));
    const { archive, daemon, apt, names } = await stage(t, packages);
    let requestsBefore: number | undefined;
    daemon.wanted = () => {
      if (daemon.wants.length < 300) return;
      requestsBefore = daemon.requests.length;
      const random = randomNumbers('any order');
      const shuffled = daemon.wants.map(({ id }) => ({ id, at: random() })).toSorted((a, b) => a.at - b.at);
      for (const { id } of shuffled) daemon.tell({ ready: [id] });
    };
    const got = await apt.installDownloadOnly(...names);
    t.equal(requestsBefore, 0, 'nothing had been asked for when the last of them was announced');
    t.same(downloaded(got), hashesOf(archive, ...names), got.output.slice(-2000));
    t.equal(new Set(daemon.wants.map(({ target }) => target)).size, 300);
    t.equal(daemon.requests.length, 300, 'each is asked for once');
    const sizes = new Map(archive.packages.map(({ file }) => [file.sha256, file.size]));
    t.ok(
      daemon.wants.every(({ sha256, size }) => sizes.get(sha256) === size),
      'with what APT expects of it',
    );
  },
);

t.test(
  'what arrives first is delivered first, though APT asked for others before',
  { skip: skipWithoutApt },
  async (t) => {
    const packages = Array.from({ length: 60 }, (_, n) => ({ name: `pkg${n}`, size: 2000 + n }));
    const { archive, daemon, apt, names } = await stage(t, packages);
    daemon.wanted = () => {
      if (daemon.wants.length < 60) return;
      const last = daemon.wants.slice(-5).map(({ id }) => id);
      const others = daemon.wants.slice(0, -5).map(({ id }) => id);
      const delivered = setInterval(() => {
        if (!last.every((id) => daemon.over.includes(id))) return;
        clearInterval(delivered);
        daemon.tell({ ready: others });
      }, 5);
      daemon.tell({ ready: last });
    };
    const got = await apt.installDownloadOnly(...names);
    t.same(downloaded(got), hashesOf(archive, ...names), got.output.slice(-2000));
  },
);

const skipTerminal = skipWithoutApt || skipWithout('script');

t.test('on a terminal the file that all wait for grows', { skip: skipTerminal }, async (t) => {
  for (const program of ['apt-get', 'apt', 'aptitude']) {
    await t.test(program, { skip: !hasCommand(program) && `no ${program} on this machine` }, async (t) => {
      const { archive, daemon, apt } = await stage(t, [{ name: 'big', size: 3_000_000 }]);
      const file = archive.file('big');
      const data = readFileSync(join(archive.root, archive.url(file.path)));
      let held: ServerResponse | undefined;
      daemon.wanted = () => undefined; // it is still on its way
      daemon.answer(`/mirror.example${archive.url(file.path)}`, (_, res) => {
        res.writeHead(200, { 'Content-Length': data.length });
        res.write(data.subarray(0, 1_500_000));
        held = res;
      });
      const statusFile = join(apt.root, 'status-fd');
      const command = `${program} -o quiet=0 -o APT::Status-Fd=3 download big 3>${statusFile}`;
      const terminal = new Terminal(command, { cwd: join(apt.root, 'work'), env: apt.env });
      t.teardown(() => terminal.close());
      await terminal.shows(/1,?500 kB\/3,?\d+ kB 50%/);
      held?.end(data.subarray(1_500_000));
      t.equal(await terminal.exited, 0, terminal.output);
      t.match(terminal.output, /Get:\s*1 debtorrent:\/\/[^\n]*big/);
      const shown = readFileSync(statusFile, 'utf8');
      if (program !== 'aptitude') t.match(shown, /^dlstatus:1:(?:3\d|4\d|5\d)[\d.]*:Retrieving file 1 of 1/m);
    });
  }
});

t.test('between files a line says how it goes', { skip: skipTerminal }, async (t) => {
  const { daemon, apt, names } = await stage(t, [{ name: 'one' }, { name: 'two' }, { name: 'three' }]);
  daemon.wanted = () => {
    daemon.tell({ figures: { peers: 2, fromPeers: 100, fromMirror: 100 } });
    daemon.tell({ figures: { peers: 2, fromPeers: 400, fromMirror: 200 } });
  };
  const terminal = new Terminal(`apt-get -o quiet=0 -y download ${names.join(' ')}`, {
    cwd: join(apt.root, 'work'),
    env: apt.env,
  });
  t.teardown(() => terminal.close());
  await terminal.shows(/\[0 of 3 files, 2 peers, 75% from peers\]/);
  daemon.tell({ ready: daemon.wants.map(({ id }) => id) });
  t.equal(await terminal.exited, 0, terminal.output);
  t.equal(terminal.output.match(/^.*Get:\d debtorrent/gm)?.length, 3, 'each has one line');
});

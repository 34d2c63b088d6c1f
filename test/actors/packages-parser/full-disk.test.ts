/** A disk without room for the catalogue: nothing is left behind, and what could not be saved is saved when there is. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RoomProtocol } from '../../../src/actors/packages-parser/collaborators.ts';
import { systemClock, type DatedClock } from '../../../src/core/clock.ts';
import { spawn } from '../../../src/kernel/actor.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';
import { Archive } from '../../support/archive.ts';
import { makeKeys } from '../../support/keys.ts';
import { skipWithout, until } from '../../support/process.ts';
import { skipWithoutMount } from '../../support/tmpfs.ts';
import { ParserScene } from './parser-scene.ts';

const skip = skipWithout('gpg', 'gpgv') || skipWithoutMount();
const PACKAGES = 'main/binary-amd64/Packages';

/** What comes after half a minute comes after 300 ms; an index that failed is not tried again beside the next Release. */
const quickClock: DatedClock = {
  ...systemClock,
  setTimeout: (call, ms) => systemClock.setTimeout(call, ms === 30_000 ? 300 : ms),
};

/** So many stanzas, other ones for each round. */
function stanzas(round: number, count: number): string {
  const stanza = (n: number): string =>
    [
      `Package: p${n}`,
      `Filename: pool/main/p/p${n}_${round}_amd64.deb`,
      `Size: ${round}`,
      `SHA256: ${(round * 1_000_000 + n).toString(16).padStart(64, '0')}`,
    ].join('\n');
  return Array.from({ length: count }, (_, n) => `\n${stanza(n)}\n`).join('');
}

t.test('a full disk', { skip }, async (t) => {
  const keys = makeKeys();
  const archive = new Archive({ keys, seed: t.name, compressions: ['gz'] }).publish({ add: [{ name: 'hello' }] });
  const s = new ParserScene(archive);
  const dir = s.catalogueDir;
  mkdirSync(dir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4M', 'tmpfs', dir]);
  t.teardown(async () => {
    await s.stop();
    execFileSync('umount', ['--lazy', dir]);
    await s.close();
    archive.close();
    keys.close();
  });
  await s.start({ clock: quickClock });
  const others = join(s.catalogueDir, 'others');
  const fill = (left: number): void => {
    const { bavail, bsize } = statfsSync(dir);
    writeFileSync(others, Buffer.alloc(Math.max(0, bavail * bsize - left)));
  };
  const unfinished = (): string[] => readdirSync(dir).filter((name) => name.endsWith('.tmp'));
  await s.release();
  await s.use(s.meta(`${PACKAGES}.gz`));

  await t.test('segments that could not be written leave nothing behind', async (t) => {
    fill(600_000);
    for (const round of [1, 2]) {
      archive.publish({ mangleIndex: (path, text) => (path === PACKAGES ? text + stanzas(round, 20_000) : text) });
      s.warnings.length = 0;
      t.match(await s.release(), { adopted: true });
      await until('it has failed', () => s.warnings.some((line) => line.startsWith('index not loaded')));
      t.match(
        s.warnings.find((line) => line.startsWith('index not loaded')),
        'STORE_FULL',
      );
      await until('nothing is left', () => unfinished().length === 0);
    }
    rmSync(others);
  });

  await t.test('the state that could not be saved is saved later', async (t) => {
    archive.publish({ add: [{ name: 'hello', version: '2.0-1' }] });
    await s.release();
    await s.loaded();
    const state = (): string => readFileSync(join(dir, 'state.json'), 'utf8');
    await until('it is saved', () => state().includes('"status":"loaded"') && !state().includes('"diverged"'));
    fill(0);
    s.warnings.length = 0;
    s.parser.tell('releaseUnsigned', s.url('dists/trixie'));
    await until('it cannot be', () => s.warnings.some((line) => line.startsWith('the catalogue cannot be saved')));
    t.notMatch(state(), '"diverged"');
    rmSync(others);
    await until('it is, though nothing else has changed', () => state().includes('"diverged":true'));
  });

  await t.test('room is made for the state', async (t) => {
    const asked: number[] = [];
    const makeRoom = (bytes: number) => {
      asked.push(bytes);
      rmSync(others, { force: true });
      return true as const;
    };
    const room = spawn<RoomProtocol>({ name: 'room', log: new Recorder(), behaviour: { makeRoom } });
    t.teardown(() => room.stop());
    await s.restart({ room: room.ref });
    await s.release();
    await s.loaded();
    const saved = (): string => readFileSync(join(dir, 'state.json'), 'utf8');
    // Nothing else is saved after that.
    await until('it is as it was', () => saved().includes('"status":"loaded"') && !saved().includes('"diverged"'));
    fill(0);
    s.warnings.length = 0;
    s.parser.tell('releaseUnsigned', s.url('dists/trixie'));
    await until('it is saved', () => saved().includes('"diverged":true'));
    t.equal(asked.at(-1), statSync(join(dir, 'state.json')).size);
    t.same(s.warnings, []);
  });
});

t.test('a catalogue that was removed by hand is saved again', { skip: skipWithout('gpg', 'gpgv') }, async (t) => {
  const keys = makeKeys();
  const archive = new Archive({ keys, seed: t.name, compressions: ['gz'] }).publish({ add: [{ name: 'hello' }] });
  const s = new ParserScene(archive);
  const dir = s.catalogueDir;
  t.teardown(async () => {
    await s.close();
    archive.close();
    keys.close();
  });
  await s.start({ clock: quickClock });
  await s.release();
  await s.use(s.meta(`${PACKAGES}.gz`));
  const saved = (): string[] =>
    (existsSync(dir) ? readdirSync(dir) : []).filter((name) => /json|seg/.test(name)).sort();
  await until('it is saved', () => saved().length === 3);
  const before = saved();
  for (const remove of [
    // Keyrings are written there, too.
    () => rmSync(dir, { recursive: true, maxRetries: 10 }),
    () => rmSync(join(dir, 'state.json')),
    () => before.filter((name) => name.endsWith('.seg')).forEach((name) => rmSync(join(dir, name))),
  ]) {
    remove();
    await until('it is there again', () => saved().join() === before.join());
    s.warnings.length = 0;
    await s.restart({ clock: quickClock });
    t.match(await s.parser.ask('archives'), [{ indexes: [{ status: 'loaded' }] }]);
    t.same([s.warnings, s.fetched], [[], []]);
  }
});

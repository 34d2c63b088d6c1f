import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Archive } from '../../support/archive.ts';
import { makeKeys } from '../../support/keys.ts';
import { skipWithout, until } from '../../support/process.ts';
import { ParserScene } from './parser-scene.ts';

const skip = skipWithout('gpg', 'gpgv', 'xz');
const PACKAGES = 'main/binary-amd64/Packages';

t.test('restarts', { skip }, async (t) => {
  const keys = makeKeys();
  t.teardown(() => keys.close());

  /** An archive that is adopted, with one index in use. */
  async function scene(test: Tap): Promise<ParserScene> {
    const archive = new Archive({ keys, seed: test.name });
    archive.publish({ add: [{ name: 'hello' }, { name: 'extra', component: 'contrib' }] });
    const made = await new ParserScene(archive).start();
    test.teardown(async () => {
      await made.close();
      archive.close();
    });
    await made.release();
    await made.use(made.meta(`${PACKAGES}.xz`));
    return made;
  }
  const hello = (s: ParserScene): string => s.archive.packages.find((p) => p.spec.name === 'hello')?.file.path ?? '';
  const segments = (s: ParserScene): string[] => readdirSync(s.catalogueDir).filter((name) => name.endsWith('.seg'));
  const largest = (s: ParserScene): string => {
    const [index] = s.view.catalogue.archives()[0]?.indexes ?? [];
    return join(s.catalogueDir, index?.segment?.file ?? '');
  };

  t.test('the catalogue survives without fetching or parsing anything', async (t) => {
    const s = await scene(t);
    const before = s.view.catalogue.archives();
    await s.restart({ programs: { gpgv: '/nonexistent', sqv: '/nonexistent' } });
    await until('it is published', () => s.size(hello(s)) !== undefined);
    t.strictSame(s.view.catalogue.archives(), before);
    t.strictSame(s.fetched, []);
    t.strictSame(s.warnings, []);
  });

  t.test('an archive whose clients were given another Release is still out of step with them', async (t) => {
    const archive = new Archive({ keys, seed: t.name, byHash: false }).publish({ add: [{ name: 'hello' }] });
    const s = await new ParserScene(archive).start();
    t.teardown(async () => {
      await s.close();
      archive.close();
    });
    const isKnown = (): boolean => s.size(hello(s)) !== undefined;
    await s.release();
    await s.use(s.meta(`${PACKAGES}.xz`));
    t.ok(isKnown());
    for (const unsigned of [false, true]) {
      if (unsigned) {
        s.parser.tell('releaseUnsigned', s.url('dists/trixie'));
        await until('it is out of step', () => !isKnown());
      } else t.match(await (archive.publish({ signing: 'unknown' }), s.release()), { adopted: false, diverges: true });
      await s.restart();
      t.ok(s.view.catalogue.archives()[0]?.indexes[0]?.segment);
      t.notOk(isKnown());
      t.match(await (archive.publish({ signing: 'good' }), s.release()), { adopted: true });
      t.ok(isKnown());
      await s.restart();
      t.ok(isKnown());
    }
    s.parser.tell('releaseUnsigned', s.url('dists/trixie'));
    await until('it is out of step', () => !isKnown());
    t.match(await s.release(), { adopted: true, changed: false });
  });

  t.test('killed when it says that an index is loaded, it comes up with it', async (t) => {
    const archive = new Archive({ keys, seed: t.name });
    archive.publish({ add: [{ name: 'hello' }] });
    const s = await new ParserScene(archive).start();
    const copy = join(s.dir, 'copy');
    t.teardown(async () => {
      await s.close();
      archive.close();
    });
    s.logged = (message) => {
      if (message === 'index loaded') cpSync(s.catalogueDir, copy, { recursive: true });
    };
    await s.release();
    await s.use(s.meta(`${PACKAGES}.xz`));
    await until('it says so', () => existsSync(copy));
    await s.restart({ catalogueDir: copy });
    await until('it is published', () => s.size(hello(s)) !== undefined);
    t.strictSame(s.fetched, []);
  });

  t.test('that an index is used is saved at once, however long the gateway takes', async (t) => {
    const archive = new Archive({ keys, seed: t.name });
    archive.publish({ add: [{ name: 'hello' }] });
    const s = await new ParserScene(archive).start();
    let go = (): void => undefined;
    t.teardown(async () => {
      go();
      await s.close();
      archive.close();
    });
    await s.release();
    s.gatewayWaits = new Promise((resolve) => (go = resolve));
    void s.parser.ask('indexUsed', s.meta(`${PACKAGES}.xz`)).catch(() => undefined);
    const path = join(s.catalogueDir, 'state.json');
    const state = (): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
    await until('it is in the state', () => state().includes(`"name":"${PACKAGES}"`));
    t.pass();
  });

  t.test('a damaged segment of an index is loaded again', async (t) => {
    const s = await scene(t);
    const path = largest(s);
    await s.stop();
    truncateSync(path, statSync(path).size - 8);
    await s.start();
    await until('it is loaded', () => s.size(hello(s)) !== undefined);
    t.equal(s.fetched.length, 1);
    t.match(s.warnings.join(), 'missing or damaged');
  });

  t.test('an archive whose Release is damaged is made again, of the indexes that were in use', async (t) => {
    const s = await scene(t);
    await s.use(s.meta('contrib/binary-arm64/Packages.xz'));
    const [archive] = s.view.catalogue.archives();
    await s.stop();
    truncateSync(join(s.catalogueDir, archive?.segment ?? ''), 100);
    await s.start();
    t.strictSame(await s.parser.ask('archives'), []);
    await s.restart();
    await s.release();
    await s.loaded();
    t.ok(s.size(hello(s)), 'without a client asking for them');
    t.strictSame(
      s.view.catalogue.archives()[0]?.indexes.map(({ name }) => name),
      [PACKAGES, 'contrib/binary-arm64/Packages'],
    );
  });

  t.test('a damaged state is made again', async (t) => {
    const s = await scene(t);
    await s.stop();
    const path = join(s.catalogueDir, 'state.json');
    const state = readFileSync(path, 'utf8');
    for (const damaged of ['', '{', state.slice(0, -5), state.replace('trixie', 'tr1xie'), '\0'.repeat(state.length)]) {
      writeFileSync(path, damaged);
      await s.start();
      t.strictSame(await s.parser.ask('archives'), []);
      await s.stop();
    }
    await s.start();
    await s.release();
    await s.use(s.meta(`${PACKAGES}.xz`));
    t.ok(s.size(hello(s)));
  });

  t.test('what a killed process left behind is swept away', async (t) => {
    const s = await scene(t);
    await s.stop();
    const kept = segments(s);
    for (const name of [`${'0'.repeat(40)}.seg`, 'state.json.tmp', 'trusted.gpg.new', 'verify-1-0', 'unpack-1']) {
      writeFileSync(join(s.catalogueDir, name), 'rest');
    }
    await s.start();
    t.strictSame(segments(s), kept);
    await until(
      'nothing else is left',
      () => !readdirSync(s.catalogueDir).some((n) => /new$|tmp$|^verify|^unpack/.test(n)),
    );
  });

  t.test('segments of earlier Releases are deleted', async (t) => {
    const s = await scene(t);
    for (let round = 0; round < 3; round++) {
      s.archive.publish({ add: [{ name: `new${round}` }] });
      await s.release();
      await s.loaded();
    }
    await until('two are left', () => segments(s).length === 2);
  });

  t.test('with other keyrings the catalogue is made again, of the indexes that were in use', async (t) => {
    const s = await scene(t);
    await s.restart({ keyrings: async () => [keys.keyring, keys.otherKeyring] });
    t.strictSame(await s.parser.ask('archives'), []);
    await s.release();
    await s.loaded();
    t.ok(s.size(hello(s)), 'without a client asking for them');
    await s.restart({ keyrings: async () => [keys.otherKeyring] });
    t.match(await s.release(), { adopted: false, code: 'SIGNATURE_UNKNOWN_KEY' });
  });

  t.test('an index that was being loaded at the end is loaded after the start', async (t) => {
    const s = await scene(t);
    s.archive.publish({ add: [{ name: 'late' }] });
    await s.release();
    await s.restart();
    await until('it is loaded', () => s.view.catalogue.torrents()[0]?.files === 2);
    t.pass();
  });

  t.test('no program is left running after the stop', async (t) => {
    const s = await scene(t);
    s.archive.publish({ add: [{ name: 'late' }] });
    const verdict = s.release().catch((error: unknown) => error);
    await s.stop();
    await verdict;
    const children = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'comm='], { encoding: 'utf8' });
    t.notMatch(children, /gpgv|xz/);
  });
});

type Tap = Test;

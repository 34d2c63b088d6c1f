import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/core/clock.ts';
import { Archive, type ArchiveOptions, type PublishOptions } from '../../support/archive.ts';
import { inVersion, makeKeys } from '../../support/keys.ts';
import { skipWithout } from '../../support/process.ts';
import { ParserScene } from './parser-scene.ts';

const DAY = 86_400_000;
const skip = skipWithout('gpg', 'gpgv', 'xz');

t.test('Releases', { skip }, async (t) => {
  const keys = makeKeys();
  t.teardown(() => keys.close());

  async function scene(test: Tap, options: Partial<ArchiveOptions> = {}, publish: PublishOptions = {}) {
    const archive = new Archive({ keys, seed: test.name, ...options });
    archive.publish({ add: [{ name: 'hello' }], ...publish });
    const made = await new ParserScene(archive).start();
    test.teardown(async () => {
      await made.close();
      archive.close();
    });
    return made;
  }

  t.test('an InRelease by a trusted key is adopted', async (t) => {
    const s = await scene(t);
    t.match(await s.release(), {
      adopted: true,
      changed: true,
      archive: {
        key: 'ftp.us.debian.org/debian/dists/trixie',
        codename: 'trixie',
        releaseName: 'InRelease',
        public: true,
      },
    });
    t.match(
      s.view.catalogue.lookup(s.meta('main/binary-amd64/Packages.xz')),
      { kind: 'index' },
      'and in force at once',
    );
    t.match(await s.release(), { adopted: true, changed: false }, 'the same again changes nothing');
  });

  t.test('Release and Release.gpg are adopted', async (t) => {
    const s = await scene(t, { signing: 'detached' });
    t.match(await s.release(), { adopted: true, archive: { releaseName: 'Release' } });
  });

  t.test('a Release.gpg that is not given is fetched', async (t) => {
    const s = await scene(t, { signing: 'detached' });
    const verdict = await s.parser.ask('releaseFetched', {
      url: s.meta('Release'),
      release: s.file(s.archive.metaPath('Release')),
    });
    t.match(verdict, { adopted: true });
    t.strictSame(s.fetched, ['/debian/dists/trixie/Release.gpg']);
  });

  t.test('an archive that no public keyring verifies is private', async (t) => {
    const s = await scene(t);
    await s.restart({ publicKeyrings: async () => [keys.otherKeyring] });
    t.match(await s.release(), { adopted: true, archive: { public: false } });
    await s.restart({ publicKeyrings: async () => ['/nonexistent.gpg'] });
    t.match(await s.release(), { adopted: true, archive: { public: false } });
  });

  for (const signing of ['good', 'detached'] as const) {
    const name = signing === 'good' ? 'InRelease' : 'Release';
    t.test(`${name} with a bad signature is rejected`, async (t) => {
      const s = await scene(t, { signing });
      const path = s.file(s.archive.metaPath(name));
      writeFileSync(path, readFileSync(path, 'utf8').replace('Label: Test', 'Label: Tost'));
      t.match(await s.release(), { adopted: false, code: 'SIGNATURE_BAD' });
      t.strictSame(s.view.catalogue.archives(), []);
    });
  }

  t.test('a Release by an unknown key is rejected', async (t) => {
    const s = await scene(t, { signing: 'unknown' });
    t.match(await s.release(), { adopted: false, code: 'SIGNATURE_UNKNOWN_KEY' });
    t.match(s.warnings.join(), 'SIGNATURE_UNKNOWN_KEY');
  });

  t.test('a Release without a signature is rejected', async (t) => {
    const s = await scene(t, { signing: 'none' });
    t.match(await s.release(), { adopted: false, code: 'NOT_FOUND' });
  });

  t.test('a Release past its Valid-Until is rejected', async (t) => {
    const s = await scene(t, {}, { validUntil: new Date(Date.now() - 60_000) });
    t.match(await s.release(), { adopted: false, code: 'RELEASE_EXPIRED' });
    await s.restart({ checkValidUntil: false });
    t.match(await s.release(), { adopted: true }, 'unless the configuration says that it does not matter');
  });

  t.test(
    'a Release that is dated in the future is rejected, and one taken by a wrong clock bars nothing',
    async (t) => {
      const s = await scene(t, {}, { date: new Date(Date.now() + 2 * DAY) });
      t.match(await s.release(), { adopted: false, code: 'RELEASE_NOT_YET_VALID' });
      let ahead = 3 * DAY;
      const clock = { ...systemClock, date: () => Date.now() + ahead };
      await s.restart({ clock });
      t.match(await s.release(), { adopted: true });
      ahead = 0;
      t.match(await s.release(), { adopted: false, code: 'RELEASE_NOT_YET_VALID', diverges: false });
      s.archive.publish({ date: new Date(Date.now() - DAY) });
      t.match(await s.release(), { adopted: true }, 'the clock is set right');
      s.archive.publish({ date: new Date(Date.now() + 3_600_000) });
      t.match(await s.release(), { adopted: true }, 'a clock that is off by an hour');
    },
  );

  t.test('a Release from the future that was saved is dropped at the start', async (t) => {
    const s = await scene(t, {}, { date: new Date(Date.now() + 2 * DAY) });
    await s.restart({ clock: { ...systemClock, date: () => Date.now() + 3 * DAY } });
    t.match(await s.release(), { adopted: true });
    await s.use(s.meta('main/binary-amd64/Packages.xz'));
    await s.restart();
    t.strictSame(await s.parser.ask('archives'), []);
    s.archive.publish({ date: new Date(Date.now() - DAY) });
    t.match(await s.release(), { adopted: true });
    await s.loaded();
    t.equal(s.view.catalogue.archives()[0]?.indexes.length, 1, 'what was used of it is loaded again');
  });

  t.test('an older Release is rejected, the adopted one stays', async (t) => {
    const s = await scene(t, {}, { date: new Date('2026-01-02') });
    await s.release();
    s.archive.publish({ date: new Date('2026-01-01') });
    t.match(await s.release(), { adopted: false, code: 'RELEASE_OLDER', diverges: true });
    t.match(await s.release(), { adopted: false, code: 'RELEASE_OLDER' }, 'however often it comes');
    t.equal(s.view.catalogue.archives()[0]?.date, Date.parse('2026-01-02'));
  });

  t.test('an archive that public keys sign cannot be taken over by another trusted key', async (t) => {
    const s = await scene(t);
    const keyrings = async () => [keys.keyring, keys.otherKeyring];
    await s.restart({ keyrings });
    t.match(await s.release(), { adopted: true, archive: { public: true } });
    s.archive.publish({ signing: 'unknown' });
    t.match(await s.release(), { adopted: false, code: 'SIGNATURE_UNKNOWN_KEY' });
    t.equal(s.view.catalogue.archives()[0]?.public, true);
  });

  t.test('and one that another key has taken comes back, however it was dated', async (t) => {
    const s = await scene(t, {}, { signing: 'unknown', date: new Date('2026-03-01') });
    await s.restart({ keyrings: async () => [keys.keyring, keys.otherKeyring] });
    t.match(await s.release(), { adopted: true, archive: { public: false } });
    s.archive.publish({ signing: 'good', date: new Date('2026-02-01') });
    t.match(await s.release(), { adopted: true, archive: { public: true } });
  });

  t.test('which rejected Releases clients may go by in place of the adopted one', async (t) => {
    const s = await scene(t, {}, { validUntil: new Date(Date.now() + 3_600_000) });
    let clock = systemClock;
    await s.restart({ clock: { ...systemClock, date: () => clock.date() } });
    t.match(await s.release(), { adopted: true });
    s.archive.publish({ signing: 'unknown' });
    t.match(await s.release(), { code: 'SIGNATURE_UNKNOWN_KEY', diverges: true });
    s.archive.publish({ mangleRelease: (text) => `${text}Codename: other\n` });
    t.match(await s.release(), { code: 'RELEASE_MALFORMED', diverges: true });
    s.archive.publish({ signing: 'bad' });
    t.match(await s.release(), { code: 'SIGNATURE_BAD', diverges: true }, 'who wants no signature takes it');
    writeFileSync(s.file(s.archive.metaPath('InRelease')), '<html>');
    t.match(await s.release(), { code: 'RELEASE_MALFORMED', diverges: false }, 'nobody takes this');
    s.archive.publish({ validUntil: new Date(Date.now() + 3_600_000) });
    t.match(await s.release(), { adopted: true });
    clock = { ...systemClock, date: () => Date.now() + 7_200_000 };
    t.match(await s.release(), { code: 'RELEASE_EXPIRED', diverges: false }, 'it is the adopted one');
  });

  t.test('a well-signed Release that makes no sense is rejected', async (t) => {
    const s = await scene(t, {}, { mangleRelease: (text) => `${text}Codename: other\n` });
    t.match(await s.release(), { adopted: false, code: 'RELEASE_MALFORMED' });
  });

  t.test('an InRelease with something before or after the signed message is rejected', async (t) => {
    const s = await scene(t);
    const path = s.file(s.archive.metaPath('InRelease'));
    const signed = readFileSync(path, 'utf8');
    for (const text of [`Origin: other\n\n${signed}`, signed + signed, signed.slice(0, 500), '', '\0'.repeat(1000)]) {
      writeFileSync(path, text);
      t.match(await s.release(), { adopted: false, code: /RELEASE_MALFORMED|SIGNATURE_BAD/ });
    }
    t.strictSame(s.view.catalogue.archives(), []);
  });

  t.test('without a verifier nothing is adopted', async (t) => {
    const s = await scene(t);
    await s.restart({ programs: { gpgv: '/nonexistent/gpgv', sqv: '/nonexistent/sqv' } });
    t.match(await s.release(), { adopted: false, code: 'VERIFIER_MISSING' });
  });

  t.test('what was verified before is not verified again', async (t) => {
    const s = await scene(t);
    await s.release();
    await s.restart({ programs: { gpgv: '/nonexistent/gpgv', sqv: '/nonexistent/sqv' } });
    t.match(await s.release(), { adopted: true, changed: false });
  });

  t.test('when a key is withdrawn, what it signed is not believed any more', async (t) => {
    const s = await scene(t);
    const keyring = join(s.dir, 'keyring.gpg');
    writeFileSync(keyring, readFileSync(keys.keyring));
    await s.restart({ keyrings: async () => [keyring] });
    t.match(await s.release(), { adopted: true });
    writeFileSync(keyring, readFileSync(keys.otherKeyring));
    t.match(await s.release(), { adopted: false, code: 'SIGNATURE_UNKNOWN_KEY' });
    t.strictSame(await s.parser.ask('archives'), []);
  });

  t.test('keys that gpgv cannot read do not keep it from the others', async (t) => {
    const s = await scene(t);
    const file = (name: string, data: Buffer): string => {
      writeFileSync(join(s.dir, name), data);
      return join(s.dir, name);
    };
    const other = readFileSync(keys.otherKeyring);
    const later = file('later.gpg', Buffer.concat([other, inVersion(other, 6)]));
    // its first number is said to be longer than the packet
    const broken = file('broken.gpg', Buffer.from([0x98, 10, 4, 0, 0, 0, 1, 1, 0xff, 0xff, 1, 2]));
    for (const keyrings of [
      [later, keys.keyring],
      [keys.keyring, later],
      [broken, keys.keyring],
      [keys.keyring, broken],
      [keys.otherKeyring, broken, later, keys.otherKeyring, keys.keyring],
    ]) {
      s.warnings.length = 0;
      await s.restart({ keyrings: async () => keyrings, publicKeyrings: async () => keyrings });
      t.match(await s.release(), { adopted: true, archive: { public: true } });
      s.archive.publish();
      t.match(await s.release(), { adopted: true, archive: { public: true } });
      for (const path of [later, broken]) {
        const told = s.warnings.filter((line) => line.includes(path)).length;
        t.equal(told, keyrings.includes(path) ? 2 : 0, 'one warning for each of the two uses, which names it');
      }
    }
    t.same(
      readdirSync(s.catalogueDir).filter((name) => name.includes('.try')),
      [],
    );
  });

  t.test('a URL that is no Release, a file that is not there', async (t) => {
    const s = await scene(t);
    const inRelease = s.file(s.archive.metaPath('InRelease'));
    t.match(await s.parser.ask('releaseFetched', { url: s.url('pool/x'), inRelease }), { code: 'RELEASE_MALFORMED' });
    t.match(await s.parser.ask('releaseFetched', { url: s.meta('InRelease'), inRelease: '/nonexistent' }), {
      code: 'STORE_IO',
    });
  });
});

type Tap = Test;

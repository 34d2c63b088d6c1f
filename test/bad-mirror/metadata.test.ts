/** Metadata that lies: badly signed, not signed for, or signed for and absurd. */
import t from 'tap';
import { Archive } from '../support/archive.ts';
import type { PublishOptions } from '../support/archive.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { sha256 as digest } from '../support/random.ts';

t.setTimeout(600_000);

const names = Array.from({ length: 20 }, (_, n) => `pkg${n}`);
const state = { add: names.map((name) => ({ name, size: 2000 })) };
const INDEX = 'main/binary-amd64/Packages';

t.test('the daemon and metadata that lies', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state });
  const { archive, mirror, daemon, keys } = scene;
  await scene.adopt();
  let count = 0;
  /** Another archive on the same mirror, with a torrent of its own should it be believed. */
  const another = (options: PublishOptions, rest: object = {}): Archive =>
    new Archive({
      keys,
      seed: `bad${(count += 1)}`,
      root: archive.root,
      base: `bad${count}`,
      origin: `Bad ${count}`,
      ...rest,
    }).publish({
      ...state,
      ...options,
    });
  const get = (other: Archive, path: string) => daemon.get(mirror.host, other.url(path));
  /** Asks for the Release and an index, as APT would. */
  async function offer(other: Archive, index = `${INDEX}.xz`): Promise<void> {
    await get(other, other.metaPath('InRelease'));
    await get(other, other.metaPath('Release'));
    await get(other, other.metaPath('Release.gpg'));
    await get(other, other.byHashPath(index));
    await get(other, other.metaPath(index));
  }
  const torrents = async (): Promise<readonly { name: string; files: number }[]> => (await daemon.status()).torrents;
  async function restWorks(t: Tap): Promise<void> {
    t.ok(daemon.running);
    const apt = scene.apt('prefix');
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const got = await apt.download(...names);
    t.same(downloaded(got), hashesOf(archive, ...names), got.output);
  }

  await t.test('a Release with a bad signature, by an unknown key, or not signed starts no torrent', async (t) => {
    const before = (await torrents()).length;
    for (const signing of ['bad', 'unknown', 'none'] as const) {
      const other = another({ signing });
      await offer(other);
      const apt = scene.apt('prefix', { archive: other });
      t.not((await apt.update()).code, 0, `${signing}: APT sees it and refuses it as well`);
      const plain = await get(other, other.file('pkg1').path);
      t.ok(isWhole(plain, other.file('pkg1')), 'its packages are plain files');
    }
    t.equal((await torrents()).length, before);
    await restWorks(t);
  });

  await t.test('a bad Release after a good one leaves the good one in force', async (t) => {
    const other = another({});
    const client = scene.apt('prefix', { archive: other });
    t.equal((await client.update()).code, 0);
    for (const signing of ['bad', 'unknown'] as const) {
      other.publish({ signing, add: [{ name: 'pkg3', size: 2000, variant: signing }] });
      await offer(other);
      const stop = mirror.rule(other.url(other.file('pkg4').path), { alterAt: 3000 });
      const altered = await get(other, other.file('pkg4').path);
      t.notOk(altered.status === 200 && altered.complete, `${signing}: packages are still verified`);
      stop();
    }
    other.publish({ add: [{ name: 'after' }] });
    await until('APT gets the next good one', async () => (await client.update()).code === 0);
    t.same(downloaded(await client.download('after', 'pkg4')), hashesOf(other, 'after', 'pkg4'));
    await restWorks(t);
  });

  await t.test('an expired Valid-Until is passed on, for APT to refuse', async (t) => {
    const day = 86_400_000;
    const date = new Date(Date.now() - 20 * day);
    const other = another({ date, validUntil: new Date(date.getTime() + 7 * day) });
    const before = (await torrents()).length;
    const apt = scene.apt('prefix', { archive: other });
    const refused = await apt.update();
    t.not(refused.code, 0);
    t.match(refused.output, /expired|not valid/i);
    await offer(other);
    t.equal((await torrents()).length, before, 'no torrent comes of it');
    other.publish({ date: new Date(Date.now() - day), validUntil: new Date(Date.now() + day) });
    const renewed = await apt.update();
    t.equal(renewed.code, 0, renewed.output);
    t.same(downloaded(await apt.download('pkg1')), hashesOf(other, 'pkg1'));
    await restWorks(t);
  });

  await t.test('an older Release than the one adopted does not take its place', async (t) => {
    const other = another({});
    const old = ['InRelease', 'Release', 'Release.gpg'].map(
      (name) => [other.metaPath(name), other.read(other.metaPath(name))] as const,
    );
    other.publish({ add: [{ name: 'newer' }] });
    const client = scene.apt('prefix', { archive: other });
    t.equal((await client.update()).code, 0);
    for (const [path, data] of old) other.write(path, data);
    await offer(other, `${INDEX}.xz`).catch(() => undefined);
    const stop = mirror.rule(other.url(other.file('newer').path), { alterAt: 3000 });
    const altered = await get(other, other.file('newer').path);
    t.notOk(altered.status === 200 && altered.complete, 'the newer index is still known');
    stop();
    await restWorks(t);
  });

  await t.test('an index that does not match its Release is not used', async (t) => {
    const before = (await torrents()).length;
    const check = async (byHash: boolean): Promise<void> => {
      const other = another({}, { byHash });
      const right = other.read(other.metaPath(`${INDEX}.xz`));
      const wrong = archive.read(archive.metaPath(`${INDEX}.xz`));
      const paths = [other.metaPath(`${INDEX}.xz`), ...(byHash ? [other.byHashPath(`${INDEX}.xz`)] : [])];
      const gz = [other.metaPath(`${INDEX}.gz`), ...(byHash ? [other.byHashPath(`${INDEX}.gz`)] : [])];
      for (const path of [...paths, ...gz]) other.write(path, wrong);
      await get(other, other.metaPath('InRelease'));
      for (const path of paths) {
        const answer = await get(other, path);
        t.notOk(answer.status === 200 && answer.complete && !answer.body.equals(right), path);
      }
      const apt = scene.apt('prefix', { archive: other, conf: ['Acquire::Retries "0";'] });
      t.not((await apt.update()).code, 0);
      t.equal((await torrents()).length, before);
    };
    await Promise.all([check(true), check(false)]);
    await restWorks(t);
  });

  const absurd: Record<string, (text: string) => string> = {
    'absurd sizes': (text) =>
      text
        .replace(/^Size: \d+$/m, 'Size: 99999999999999999999')
        .replace('Package: pkg5\n', 'Package: pkg5\nSize: -7\n'),
    'sizes that are no numbers': (text) => text.replaceAll(/^Size: .*$/gm, 'Size: lots'),
    '.. in Filename': (text) => text.replaceAll(/^Filename: /gm, 'Filename: ../../../../etc/'),
    'absolute and odd Filenames': (text) =>
      text
        .replaceAll(/^Filename: .*pkg1[0-9]?_.*$/gm, 'Filename: /etc/passwd')
        .replaceAll(/^Filename: pool/gm, 'Filename: http://x/pool\0'),
    'duplicate fields': (text) =>
      text.replaceAll(/^(SHA256: ).*$/gm, `$&\n$1${'0'.repeat(64)}`).replaceAll(/^(Filename: .*)$/gm, '$1\n$1x'),
    'hashes that are none': (text) => text.replaceAll(/^SHA256: .*$/gm, 'SHA256: zz'),
    'no colon anywhere': () => 'just some text\n'.repeat(1000),
    'binary nonsense': () => Array.from({ length: 50_000 }, (_, n) => String.fromCharCode((n * 31) % 256)).join(''),
    'one endless line': () => `Package: ${'x'.repeat(8_000_000)}`,
    'a million empty stanzas': () => 'Package: a\n\n'.repeat(1_000_000),
    'fields named like built-in properties': (text) =>
      text.replaceAll('Package: pkg1\n', 'Package: __proto__\n__proto__: x\nconstructor: y\n'),
    'the same file ten thousand times': (text) => text.slice(0, text.indexOf('\n\n') + 2).repeat(10_000),
  };
  await t.test('a signed index that is absurd harms nothing else', async (t) => {
    for (const [what, mangle] of Object.entries(absurd)) {
      const other = another({ mangleIndex: (name, text) => (name === INDEX ? mangle(text) : text) });
      await offer(other);
      const apt = scene.apt('prefix', { archive: other });
      await apt.update();
      await apt.download('pkg2');
      t.equal((await daemon.request('/healthz')).status, 200, what);
      const escaped = await get(other, '../../../../etc/passwd');
      t.ok(escaped.status >= 400, what);
    }
    await restWorks(t);
  });

  await t.test('a signed Release that is absurd harms nothing else', async (t) => {
    const mangles: Record<string, (text: string) => string> = {
      'absurd sizes of indexes': (text) => text.replaceAll(/^ ([0-9a-f]{64}) +\d+ /gm, ' $1 99999999999999999 '),
      'zero sizes': (text) => text.replaceAll(/^ ([0-9a-f]{64}) +\d+ /gm, ' $1 0 '),
      '.. in names': (text) => text.replaceAll(' main/', ' ../../../../tmp/'),
      'no sums': (text) => text.slice(0, text.indexOf('MD5Sum')),
      'a million lines': (text) => `${text}${` ${'0'.repeat(64)} 5 main/x\n`.repeat(200_000)}`,
      'dates that are none': (text) => text.replace(/^Date: .*$/m, 'Date: tomorrow'),
      'odd names': (text) =>
        text.replace(/^Codename: .*$/m, 'Codename: ../../x').replace(/^Origin: .*$/m, `Origin: ${'x'.repeat(100_000)}`),
    };
    for (const [what, mangleRelease] of Object.entries(mangles)) {
      const other = another({ mangleRelease });
      await offer(other);
      t.equal((await daemon.request('/healthz')).status, 200, what);
    }
    await restWorks(t);
  });

  await t.test('100 MB of junk, signed for, leaves the daemon small and alive', async (t) => {
    const line = 'Junk: abcdefghijklmnopqrstuvwxyz0123456789\n';
    const other = another(
      { mangleIndex: (name, text) => (name === INDEX ? line.repeat(Math.ceil(100e6 / line.length)) : text) },
      { compressions: ['gz'], components: ['main'], architectures: ['amd64'] },
    );
    await offer(other, `${INDEX}.gz`);
    const answers = await Promise.all(names.map((name) => scene.get(archive.file(name).path)));
    t.ok(answers.every((answer, n) => isWhole(answer, archive.file(names[n] ?? ''))));
    const resident = /^process_resident_memory_bytes (\S+)$/m.exec(await daemon.metrics())?.[1];
    t.ok(Number(resident) < 400e6, `${resident} bytes are resident`);
    await restWorks(t);
  });

  await t.test('a compressed index that is a bomb or no archive at all', async (t) => {
    const other = another({}, { compressions: ['xz', 'gz'] });
    for (const index of [`${INDEX}.xz`, `${INDEX}.gz`]) {
      const junk = Buffer.alloc(5000, index);
      // Signed for, because the Release is made after the file: republished with its sums in place.
      const swap = (text: string): string =>
        text.replaceAll(new RegExp(`^ \\S+ +\\d+ ${index}$`, 'gm'), (found) => {
          const sum = found.trim().split(' ')[0]?.length === 64 ? digest(junk) : found.trim().split(' ')[0];
          return ` ${sum} ${junk.length} ${index}`;
        });
      other.publish({ mangleRelease: swap });
      other.write(other.metaPath(index), junk);
      other.write(`${other.metaPath('main/binary-amd64')}/by-hash/SHA256/${digest(junk)}`, junk);
      await get(other, other.metaPath('InRelease'));
      await get(other, `${other.metaPath('main/binary-amd64')}/by-hash/SHA256/${digest(junk)}`);
      await get(other, other.metaPath(index));
      t.equal((await daemon.request('/healthz')).status, 200, index);
    }
    await restWorks(t);
  });

  await t.test('InRelease of 100 MB', async (t) => {
    const other = another({});
    mirror.rule(other.url(other.metaPath('InRelease')), { content: Buffer.alloc(100_000_000, 'Origin: x\n') });
    await get(other, other.metaPath('InRelease'));
    t.equal((await daemon.request('/healthz')).status, 200);
    mirror.clearRules();
    await restWorks(t);
  });
});

type Tap = Parameters<Parameters<typeof t.test>[0]>[0];

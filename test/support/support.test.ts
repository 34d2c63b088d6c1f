import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get } from 'node:http';
import { Apt } from './apt.ts';
import { Archive } from './archive.ts';
import { makeKeys } from './keys.ts';
import { Mirror } from './mirror.ts';
import { run, skipWithoutApt } from './process.ts';
import { sha256 } from './random.ts';

const skip = skipWithoutApt;
const many = Array.from({ length: 30 }, (_, n) => ({ name: `pkg${n}`, architecture: n % 3 === 0 ? 'all' : 'amd64' }));

t.test('generated archives are real ones', { skip }, async (t) => {
  const keys = makeKeys();
  const archive = new Archive({ keys, seed: 'support', pdiffs: true, extras: true }).publish({
    add: [
      ...many,
      { name: 'libstdc++-x', version: '2:1.0~rc1+b1-2' },
      { name: 'by-dpkg', builder: 'dpkg-deb', component: 'contrib' },
      { name: 'foreign', architecture: 'arm64' },
    ],
    sources: [{ name: 'src1', version: '1:2.0+x~1-1' }],
  });
  const flat = new Archive({ keys, seed: 'flat', flat: true, base: 'flat', signing: 'detached', root: archive.root });
  flat.publish({ add: [{ name: 'flatpkg' }] });
  const mirror = await Mirror.start({ root: archive.root });
  const apt = new Apt({
    uri: `${mirror.url}/debian`,
    suite: 'trixie main contrib',
    keyring: keys.keyring,
    architectures: ['amd64', 'arm64'],
    source: true,
    extras: true,
  });
  t.teardown(async () => {
    await mirror.close();
    apt.close();
    archive.close();
    keys.close();
  });

  await t.test('dpkg-deb reads the packages', async (t) => {
    for (const name of ['pkg1', 'by-dpkg', 'libstdc++-x']) {
      const result = await run('dpkg-deb', ['-I', join(archive.root, 'debian', archive.file(name).path)]);
      t.equal(result.code, 0, result.output);
      t.match(result.output, `Package: ${name}`);
      const list = await run('dpkg-deb', ['-c', join(archive.root, 'debian', archive.file(name).path)]);
      t.match(list.output, 'payload', list.output);
    }
  });

  await t.test('apt-get update takes indexes, translations, contents, dep11 and cnf', async (t) => {
    const result = await apt.update();
    t.equal(result.code, 0, result.output);
    for (const part of ['InRelease', 'Packages', 'Sources', 'Translation-en', 'Contents', 'dep11', 'cnf']) {
      t.ok(
        result.files.some(({ name }) => name.includes(part)),
        part,
      );
    }
    t.ok(mirror.requests(/by-hash/).length > 0);
  });

  await t.test('apt-get downloads packages and sources', async (t) => {
    const names = archive.packages.map(({ spec }) => spec.name);
    const got = await apt.download(...names.map((name) => (name === 'foreign' ? 'foreign:arm64' : name)));
    t.equal(got.code, 0, got.output);
    t.same(
      got.files.map(({ sha256 }) => sha256).toSorted(),
      archive.packages.map(({ file }) => file.sha256).toSorted(),
    );
    const source = await apt.source('src1');
    t.equal(source.code, 0, source.output);
    t.same(
      source.files.map(({ sha256 }) => sha256).toSorted(),
      archive.sources[0]?.files.map(({ sha256 }) => sha256).toSorted(),
    );
    const install = await apt.installDownloadOnly('pkg1');
    t.same(
      install.files.map(({ sha256 }) => sha256),
      [archive.file('pkg1').sha256],
      install.output,
    );
  });

  await t.test('apt-get patches its lists by two pdiffs', async (t) => {
    archive.publish({ add: [{ name: 'pkg3', version: '1.0-2', architecture: 'all' }, { name: 'new1' }] });
    archive.publish({ add: [{ name: 'new2' }], remove: ['pkg7'] });
    mirror.forget();
    const result = await apt.update();
    t.equal(result.code, 0, result.output);
    t.ok(mirror.requests(/Packages\.diff/).length >= 3, 'patches were fetched');
    t.same(mirror.requests(/binary-amd64\/(by-hash|Packages\.[gx]z)/), [], 'no whole index was');
    const index = result.files.find(({ name }) => name.endsWith('main_binary-amd64_Packages'));
    const listed = /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages$/m.exec(
      archive.read('dists/trixie/Release').toString(),
    );
    t.equal(index?.sha256, listed?.[1]);
    t.equal((await apt.download('new2', 'pkg3')).code, 0);
  });

  await t.test('a flat repository with Release.gpg alone works', async (t) => {
    const flatApt = new Apt({ uri: `${mirror.url}/flat`, suite: './', keyring: keys.keyring });
    t.teardown(() => flatApt.close());
    const updated = await flatApt.update();
    t.equal(updated.code, 0, updated.output);
    const got = await flatApt.download('flatpkg');
    t.same(
      got.files.map(({ sha256 }) => sha256),
      [flat.file('flatpkg').sha256],
    );
  });

  await t.test('bad and unknown signatures are refused by APT', async (t) => {
    for (const signing of ['bad', 'unknown'] as const) {
      archive.publish({ signing });
      apt.forgetLists();
      const result = await apt.update();
      t.not(result.code, 0, signing);
    }
  });
});

interface Reply {
  status: number;
  headers: Record<string, unknown>;
  body: Buffer;
  ended: boolean;
}

function fetchFrom(mirror: Mirror, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    get(`${mirror.url}${path}`, { headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
          ended: response.complete,
        }),
      );
    }).on('error', reject);
  });
}

t.test('the mirror is right until it is told to be wrong', async (t) => {
  const root = t.testdir();
  const content = Buffer.from('0123456789abcdefghij');
  writeFileSync(join(root, 'file'), content);
  const mirror = await Mirror.start({ root });
  t.teardown(() => mirror.close());
  const path = '/file';

  const whole = await fetchFrom(mirror, path);
  t.equal(whole.status, 200);
  t.equal(sha256(whole.body), sha256(content));
  const etag = String(whole.headers['etag']);
  const part = await fetchFrom(mirror, path, { range: 'bytes=5-', 'if-range': etag });
  t.match(part, { status: 206, headers: { 'content-range': 'bytes 5-19/20' } });
  t.equal(part.body.toString(), content.toString().slice(5));
  t.equal((await fetchFrom(mirror, path, { range: 'bytes=5-', 'if-range': '"other"' })).status, 200);
  t.equal((await fetchFrom(mirror, path, { range: 'bytes=20-' })).status, 416);
  t.equal((await fetchFrom(mirror, path, { 'if-none-match': etag })).status, 304);
  t.equal((await fetchFrom(mirror, path, { 'if-modified-since': new Date().toUTCString() })).status, 304);
  t.equal((await fetchFrom(mirror, '/none')).status, 404);
  t.equal(mirror.bytes(path), 20 + 15 + 20 + '<html>416</html>\n'.length);

  mirror.rule(path, { status: 503 }, 1);
  t.equal((await fetchFrom(mirror, path)).status, 503);
  t.equal((await fetchFrom(mirror, path)).status, 200, 'once means once');

  const broken = async (fault: Parameters<Mirror['rule']>[1]): Promise<Reply> => {
    const stop = mirror.rule(path, fault);
    try {
      return await fetchFrom(mirror, path);
    } finally {
      stop();
    }
  };
  t.match(await broken({ truncateAt: 7 }), { status: 200, body: Buffer.from('0123456'), ended: false });
  // A reset may overtake what was sent before it: then not even the head arrives.
  t.match(await broken({ resetAt: 7 }).catch(() => ({ ended: false })), { ended: false });
  t.match(await broken({ chunked: 'only' }), { body: content, ended: true });
  t.match(await broken({ closeDelimited: true }), { body: content, ended: true });
  t.match(await broken({ rate: 200 }), { body: content, ended: true });
  t.match(await broken({ gzip: 'always' }), { headers: { 'content-encoding': 'gzip' } });
  t.notMatch(await broken({ garbage: true }), { body: content });
  t.match(await broken({ redirect: '/other' }), { status: 302, headers: { location: '/other' } });
  await t.rejects(broken({ reset: true }));
  await t.rejects(broken({ chunked: 'with-length' }));
  await t.rejects(broken({ raw: 'SSH-2.0-nonsense\r\n' }));
  await mirror.down();
  await t.rejects(fetchFrom(mirror, path));
  await mirror.up();
  t.equal((await fetchFrom(mirror, path)).status, 200);
});

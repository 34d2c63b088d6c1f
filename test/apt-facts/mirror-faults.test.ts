import t from 'tap';
import { Mirror } from '../support/mirror.ts';
import { skipWithoutApt, until } from '../support/process.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import type { RawAnswer } from '../support/raw-http.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt;
const names = Array.from({ length: 40 }, (_, n) => `pkg${n}`);
const state = { add: [...names.map((name) => ({ name, size: 50_000 })), { name: 'large', size: 9_000_000 }] };

t.test('a mirror with faults', { skip }, async (t) => {
  const unused = [...names];
  const take = (): string => unused.shift() ?? 'none left';
  // The scene's archive is served by a second mirror as well: the host that the first redirects to.
  const scene = await Scene.start(t, { state });
  const { archive, mirror, daemon } = scene;
  await scene.adopt();
  const url = (name: string): string => archive.url(archive.file(name).path);
  const get = (name: string): Promise<RawAnswer> => scene.get(archive.file(name).path);
  const wholeInTheEnd = (name: string): Promise<void> =>
    until(`${name} is whole in the end`, async () => isWhole(await get(name), archive.file(name)));
  const isError = (answer: RawAnswer): boolean =>
    answer.body.length > 0 &&
    answer.headers['content-length'] === String(answer.body.length) &&
    (answer.headers['content-type'] ?? '').startsWith('text/plain') &&
    !answer.body.toString().trimEnd().includes('\n') &&
    /^[A-Z_]+$/.test(answer.headers['x-debtorrent-error'] ?? '');

  await t.test('transient errors: what passes soon is not seen by APT', async (t) => {
    const apt = scene.apt('prefix');
    t.equal((await apt.update()).code, 0);
    for (const fault of [{ status: 503 }, { status: 500 }, { status: 408 }, { reset: true }, { truncateAt: 100 }]) {
      const name = take();
      mirror.rule(url(name), fault, 1);
      const got = await apt.download(name);
      t.same(downloaded(got), hashesOf(archive, name), `${JSON.stringify(fault)}\n${got.output}`);
    }
  });

  await t.test('transient errors: what does not pass is a 503 or 504 with Retry-After', async (t) => {
    for (const fault of [{ status: 503 }, { status: 500 }, { status: 429, headers: { 'retry-after': '7' } }]) {
      const name = take();
      const stop = mirror.rule(url(name), fault);
      const answer = await get(name);
      t.ok([503, 504].includes(answer.status), `${fault.status} gives ${answer.status}`);
      t.ok(isError(answer));
      t.match(answer.headers['retry-after'], /^\d+$/);
      stop();
      await wholeInTheEnd(name);
    }
  });

  await t.test('transient errors: 404, 403 and 410 are final and are not cached for long', async (t) => {
    for (const status of [404, 403, 410]) {
      const name = take();
      const stop = mirror.rule(url(name), { status });
      const answer = await get(name);
      t.equal(answer.status, status);
      t.ok(isError(answer));
      t.notOk(answer.headers['retry-after']);
      stop();
      await wholeInTheEnd(name);
    }
    const plain = await scene.get('pool/nothing-here.deb');
    t.equal(plain.status, 404);
    t.equal(plain.headers['x-debtorrent-error'], 'NOT_FOUND');
    t.ok(isError(plain));
    const head = await daemon.request(`/${mirror.host}${archive.url('pool/nothing-here.deb')}`, { method: 'HEAD' });
    t.equal(head.status, 404);
  });

  await t.test('redirects: followed inside, to allowed hosts', async (t) => {
    for (const status of [301, 302, 303, 307, 308]) {
      const [from, to] = [take(), take()];
      mirror.rule(url(from), { redirect: `${mirror.url}/elsewhere${status}`, status });
      mirror.rule(`/elsewhere${status}`, { content: archive.read(archive.file(from).path), etag: `"${to}"` });
      const answer = await get(from);
      t.ok(
        isWhole(answer, archive.file(from)),
        `${status} gives ${answer.status} ${answer.body.toString().slice(0, 99)}`,
      );
      t.notOk(answer.headers['location']);
    }
    const relative = take();
    mirror.rule(url(relative), { redirect: '/elsewhere-relative' });
    mirror.rule('/elsewhere-relative', { content: archive.read(archive.file(relative).path) });
    t.ok(isWhole(await get(relative), archive.file(relative)), 'a relative Location');
  });

  await t.test('redirects: each hop is checked, loops end', async (t) => {
    const other = await Mirror.start({ root: archive.root });
    t.teardown(() => other.close());
    const refused = [
      `${other.url}${url('pkg30')}`,
      'http://169.254.169.254/latest/meta-data/',
      'http://[::1]:1/x',
      'http://localhost:1/x',
      'file:///etc/passwd',
      'ftp://127.0.0.1/x',
      `http://user:secret@${mirror.host}/x`,
      'http://',
    ];
    for (const redirect of refused) {
      const stop = mirror.rule(url('pkg30'), { redirect });
      const answer = await get('pkg30');
      t.ok(answer.status >= 400, `${redirect} gives ${answer.status}`);
      t.ok(isError(answer), redirect);
      t.notOk(answer.headers['location']);
      stop();
    }
    t.same(other.log, [], 'the host off the list saw nothing');
    const stop = mirror.rule(url('pkg30'), { redirect: `${mirror.url}${url('pkg30')}` });
    mirror.forget();
    t.ok((await get('pkg30')).status >= 500, 'a loop is an error');
    t.ok(mirror.log.length < 100, `and ends: ${mirror.log.length} requests`);
    stop();
    await wholeInTheEnd('pkg30');
  });

  await t.test('truncated or altered upstream: what is short is completed or asked for again', async (t) => {
    for (const fault of [{ truncateAt: 20_000 }, { resetAt: 20_000 }, { contentLength: '60000', truncateAt: 50_000 }]) {
      const name = take();
      mirror.rule(url(name), fault, 1);
      const answer = await get(name);
      t.notOk(
        answer.complete && answer.status === 200 && !isWhole(answer, archive.file(name)),
        'never whole and wrong',
      );
      await wholeInTheEnd(name);
    }
  });

  await t.test('truncated or altered upstream: wrong bytes never complete and are not kept', async (t) => {
    const before = await daemon.status();
    for (const fault of [{ alterAt: 10 }, { alterAt: 50_000 }, { garbage: true }]) {
      const name = take();
      const stop = mirror.rule(url(name), fault);
      const answer = await get(name);
      t.notOk(answer.status === 200 && answer.body.length >= archive.file(name).size, 'the answer ends short');
      t.notOk(answer.status === 200 && answer.complete);
      stop();
      await wholeInTheEnd(name);
    }
    const large = await (async () => {
      const stop = mirror.rule(url('large'), { alterAt: 5_000_000 });
      const answer = await get('large');
      stop();
      return answer;
    })();
    t.notOk(large.status === 200 && large.complete, 'nor do those of a file that comes in several ranges');
    await wholeInTheEnd('large');
    const after = await daemon.status();
    t.ok((after.totals['hash_failures'] ?? 0) - (before.totals['hash_failures'] ?? 0) >= 4, 'they are counted');
    await until('the log says which mirror', () =>
      daemon.lines.some((line) => /hash/i.test(line) && line.includes(mirror.host)),
    );
    const apt = scene.apt('prefix');
    t.equal((await apt.update()).code, 0);
    const got = await apt.download(...names.slice(0, 30), 'large');
    t.same(downloaded(got), hashesOf(archive, ...names.slice(0, 30), 'large'), got.output);
  });

  await t.test(
    'Content-Encoding, Transfer-Encoding: identity is asked for, gzip never gets into the cache',
    async (t) => {
      const name = take();
      const stopPolite = mirror.rule(url(name), { gzip: 'accepted' });
      t.ok(isWhole(await get(name), archive.file(name)));
      t.notMatch(mirror.requests(url(name))[0]?.headers['accept-encoding'] ?? 'identity', /gzip|br|deflate|zstd|\*/);
      stopPolite();
      const other = take();
      const stop = mirror.rule(url(other), { gzip: 'always' });
      const answer = await get(other);
      t.notOk(
        answer.status === 200 && answer.complete && !isWhole(answer, archive.file(other)),
        'gzip is refused or decoded',
      );
      stop();
      await wholeInTheEnd(other);
      mirror.rule('/plain.txt', { gzip: 'always', content: Buffer.from('plain text\n'.repeat(50)) });
      const plain = await daemon.get(mirror.host, '/plain.txt');
      t.ok(plain.status >= 400 || plain.body.toString() === 'plain text\n'.repeat(50), 'also what nothing signs for');
    },
  );

  await t.test(
    'Content-Encoding, Transfer-Encoding: chunks are decoded, an ambiguous length is no danger',
    async (t) => {
      for (const fault of [{ chunked: 'only' }, { chunked: 'with-length' }, { closeDelimited: true }] as const) {
        const name = take();
        const stop = mirror.rule(url(name), fault);
        const answer = await get(name);
        t.notOk(
          answer.status === 200 && answer.complete && !isWhole(answer, archive.file(name)),
          JSON.stringify(fault),
        );
        if (!('chunked' in fault) || fault.chunked === 'only') t.ok(isWhole(answer, archive.file(name)));
        stop();
        await wholeInTheEnd(name);
      }
    },
  );
});

import t from 'tap';
import { existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { run, skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

const HELPER = fileURLToPath(new URL('../../../bin/debtorrent-proxy-detect', import.meta.url));

t.test('laptops: the helper says nothing when nothing or something else listens', async (t) => {
  t.ok(existsSync(HELPER));
  const server = createServer((_, response) => response.end('I am something else'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.teardown(() => server.close());
  const ask = (where: string) =>
    run(HELPER, ['http://ftp.de.debian.org/debian'], { env: { PATH: process.env['PATH'], DEBTORRENT_PROXY: where } });
  t.match(await ask(`127.0.0.1:${port}`), { code: 0, stdout: '' }, 'something else');
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const hanging = (silent.address() as AddressInfo).port;
  t.match(await ask(`127.0.0.1:${hanging}`), { code: 0, stdout: '' }, 'something that never answers');
  await new Promise((resolve) => server.close(resolve));
  t.match(await ask(`127.0.0.1:${port}`), { code: 0, stdout: '' }, 'nothing');
});

t.test('laptops: APT works with the daemon and without it', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'tool' }, { name: 'other' }] } });
  const { archive, daemon, mirror } = scene;
  const { http } = daemon.ready;
  const asked = await run(HELPER, [mirror.url], { env: { PATH: process.env['PATH'], DEBTORRENT_PROXY: http } });
  t.match(asked, { code: 0, stdout: `http://${http}\n` });
  for (const refused of [
    'http://mirror.example.org/debian',
    'https://127.0.0.1/',
    `http://me:pw@${mirror.host}/`,
    'x',
  ]) {
    const answer = await run(HELPER, [refused], { env: { PATH: process.env['PATH'], DEBTORRENT_PROXY: http } });
    t.match(answer, { code: 0, stdout: '' }, `${refused} is not for the daemon`);
  }
  t.equal(daemon.logged('pw@').length, 0);

  const apt = scene.apt('direct', {
    conf: [`Acquire::http::Proxy-Auto-Detect "${HELPER}";`],
    env: { DEBTORRENT_PROXY: http },
  });
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  t.ok(((await daemon.status()).totals['requests'] ?? 0) > 0, 'through the daemon');
  t.same(downloaded(await apt.download('tool')), hashesOf(archive, 'tool'));

  await daemon.kill9();
  archive.publish({ add: [{ name: 'later' }] });
  const without = await apt.update();
  t.equal(without.code, 0, without.output);
  t.same(downloaded(await apt.download('other', 'later')), hashesOf(archive, 'other', 'later'));
});

t.test(
  'laptops: the proxy that APT knows otherwise is used when the daemon is not',
  { skip: skipWithoutApt },
  async (t) => {
    const scene = await Scene.start(t, { state: { add: [{ name: 'tool' }] } });
    const { archive, daemon, mirror } = scene;
    const asked: string[] = [];
    const general = createServer(({ url = '' }, response) => {
      asked.push(url);
      const forward = request(`${mirror.url}${new URL(url).pathname}`, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      forward.end();
    });
    await new Promise<void>((resolve) => general.listen(0, '127.0.0.1', resolve));
    t.teardown(() => general.close());
    const proxy = `http://127.0.0.1:${(general.address() as AddressInfo).port}`;
    const helper = `Acquire::http::Proxy-Auto-Detect "${HELPER}";`;
    const env = { DEBTORRENT_PROXY: daemon.ready.http };

    const served = scene.apt('direct', { conf: [helper, `Acquire::http::Proxy "${proxy}";`], env });
    const through = await served.update();
    t.equal(through.code, 0, through.output);
    t.same(asked, [], 'the daemon comes first');

    // by that proxy only: the name has no address
    const uri = `http://mirror.invalid${archive.url('').replace(/\/$/, '')}`;
    const refused = scene.apt('direct', { uri, conf: [helper, `Acquire::http::Proxy "${proxy}";`], env });
    const updated = await refused.update();
    t.equal(updated.code, 0, updated.output);
    t.notMatch(updated.output, /^W:/m);
    t.same(downloaded(await refused.download('tool')), hashesOf(archive, 'tool'), 'the daemon would refuse the host');

    await daemon.kill9();
    const without = scene.apt('direct', { uri, conf: [helper], env: { ...env, http_proxy: proxy } });
    const byEnvironment = await without.update();
    t.equal(byEnvironment.code, 0, byEnvironment.output);
    t.same(downloaded(await without.download('tool')), hashesOf(archive, 'tool'), 'the daemon is not there');
  },
);

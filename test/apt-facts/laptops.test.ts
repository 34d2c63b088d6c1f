import t from 'tap';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { run, skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

const HELPER = fileURLToPath(new URL('../../../bin/debtorrent-proxy-detect', import.meta.url));

t.test('laptops: the helper says DIRECT when nothing or something else listens', async (t) => {
  t.ok(existsSync(HELPER));
  const server = createServer((_, response) => response.end('I am something else'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.teardown(() => server.close());
  const ask = (where: string) =>
    run(HELPER, ['http://ftp.de.debian.org/debian'], { env: { PATH: process.env['PATH'], DEBTORRENT_PROXY: where } });
  t.match(await ask(`127.0.0.1:${port}`), { code: 0, stdout: 'DIRECT\n' }, 'something else');
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const hanging = (silent.address() as AddressInfo).port;
  t.match(await ask(`127.0.0.1:${hanging}`), { code: 0, stdout: 'DIRECT\n' }, 'something that never answers');
  await new Promise((resolve) => server.close(resolve));
  t.match(await ask(`127.0.0.1:${port}`), { code: 0, stdout: 'DIRECT\n' }, 'nothing');
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
    t.match(answer, { code: 0, stdout: 'DIRECT\n' }, `${refused} is not for the daemon`);
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

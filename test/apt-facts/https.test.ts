import t from 'tap';
import { Apt } from '../support/apt.ts';
import { Mirror } from '../support/mirror.ts';
import { skipWithout, skipWithoutApt, until } from '../support/process.ts';
import { exchange, openSocket, requestText } from '../support/raw-http.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { randomNumbers } from '../support/random.ts';
import { makeTlsKeys } from '../support/tls-keys.ts';

t.setTimeout(600_000);

const skip = skipWithoutApt || skipWithout('openssl') || (process.getuid?.() !== 0 && 'port 443 takes root');

t.test('an archive that is served over TLS', { skip }, async (t) => {
  // A tunnel may only go to port 443, so the mirror listens there, on an address of its own.
  const pick = randomNumbers(String(process.pid));
  const address = `127.${[1, 2, 3].map(() => 1 + Math.floor(pick() * 250)).join('.')}`;
  const trusted = makeTlsKeys(address);
  const untrusted = makeTlsKeys('127.0.0.1');
  const scene = await Scene.start(t, {
    state: { add: [{ name: 'tool', size: 100_000 }, { name: 'other' }] },
    daemon: { mirrors: [address, '127.0.0.9'], env: { NODE_EXTRA_CA_CERTS: trusted.caFile } },
  });
  const { archive, daemon } = scene;
  const secure = await Mirror.start({ root: archive.root, tls: trusted, address, port: 443 });
  const doubtful = await Mirror.start({ root: archive.root, tls: untrusted, address: '127.0.0.9' });
  scene.later(async () => {
    await secure.close();
    await doubtful.close();
    trusted.close();
    untrusted.close();
  });
  const uri = `https://${address}/debian`;
  const conf = [`Acquire::https::CaInfo "${trusted.caFile}";`];

  await t.test('https mirrors: APT tunnels through CONNECT', async (t) => {
    const apt = new Apt({
      uri,
      suite: 'trixie main',
      keyring: scene.keys.keyring,
      conf: [...conf, `Acquire::http::Proxy "${daemon.url}";`],
    });
    scene.later(() => apt.close());
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const got = await apt.download('tool');
    t.same(downloaded(got), hashesOf(archive, 'tool'), got.output);
  });

  await t.test('https mirrors: CONNECT goes to port 443 of allowed hosts only', async (t) => {
    const connect = (target: string) => exchange(daemon.target, requestText('CONNECT', target, target));
    for (const target of [`${address}:22`, '127.0.0.8:443', '169.254.169.254:443', 'localhost:443', '[::1]:443']) {
      const [answer] = await connect(target);
      t.equal(answer?.status, 403, target);
      t.ok(answer?.headers['x-debtorrent-error']);
    }
    for (const target of [
      '/',
      'example.org',
      `${address}:`,
      `${address}:0`,
      `${address}:70000`,
      `user@${address}:443`,
    ]) {
      const [answer] = await connect(target);
      t.ok(answer !== undefined && [400, 403].includes(answer.status), `${target} gives ${answer?.status}`);
    }
    t.equal((await daemon.request('/healthz')).status, 200);
  });

  await t.test('https mirrors: a tunnel ends with either side', async (t) => {
    const socket = openSocket(daemon.target);
    const connected = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write(requestText('CONNECT', `${address}:443`, `${address}:443`));
    t.match(await connected, /^HTTP\/1\.1 200/);
    // The answer can be here before the mirror's own event loop has seen the connection.
    await until('the tunnel is closed', () => {
      secure.dropConnections();
      return socket.destroyed;
    });
    t.equal((await daemon.request('/healthz')).status, 200);
  });

  await t.test('https mirrors: HTTPS/// fetches over TLS, verifies and caches', async (t) => {
    for (const form of ['prefix', 'proxy'] as const) {
      const apt = scene.apt(form, { uri });
      const updated = await apt.update();
      t.equal(updated.code, 0, `${form}\n${updated.output}`);
      secure.forget();
      const got = await apt.download('tool');
      t.same(downloaded(got), hashesOf(archive, 'tool'), `${form}\n${got.output}`);
      t.equal(secure.copies(archive.url(archive.file('tool').path)), form === 'prefix' ? 1 : 0, form);
    }
    const path = archive.file('other').path;
    const stop = secure.rule(archive.url(path), { alterAt: 1000 });
    const altered = await daemon.request(`/HTTPS///${address}${archive.url(path)}`);
    t.notOk(altered.status === 200 && altered.complete);
    stop();
    t.ok(isWhole(await daemon.request(`/HTTPS///${address}${archive.url(path)}`), archive.file('other')));
  });

  await t.test('https mirrors: a certificate that is not trusted is an error', async (t) => {
    const answer = await daemon.request(`/HTTPS///127.0.0.9:${doubtful.port}/debian/dists/trixie/InRelease`);
    t.ok(answer.status >= 500, String(answer.status));
    t.ok(answer.headers['x-debtorrent-error']);
    t.same(doubtful.log, []);
  });
});

/** Passwords and tokens in what clients ask for: others can read the log, the page and /status.json. */
import t from 'tap';
import { until } from '../support/process.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import { Scene } from '../support/scene.ts';

t.setTimeout(600_000);

t.test('passwords and queries are nowhere to be read', async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'held', size: 3_000_000 }] } });
  const { archive, mirror, daemon } = scene;
  const { host } = mirror;
  const targets = [
    `/user:s3cret@${host}/x`,
    `/user%3As3cret%40${host}/x`,
    `/user:s3/s3cret@${host}/x`,
    `/user:s3?s3cret@${host}/x`,
    `http://user:s3cret@${host}/x`,
    `https://user:s3cret@${host}/x`,
    `ftp://user:s3cret@${host}/x`,
    `/HTTPS///user:s3cret@${host}/x`,
    `http://HTTPS///user:s3cret@${host}/x`,
    `/http://user:s3cret@${host}/x`,
    `/https://user:s3cret@${host}/x`,
    `/not-allowed.example/x.deb?token=s3cret`,
    `/${host}/../x.deb?token=s3cret`,
    `/${host}/none.deb?token=s3cret`,
    `/${host}/refused.deb?token=s3cret`,
    `/${host}/broken.deb?token=s3cret`,
    `/?token=s3cret`,
  ];
  mirror.rule('/refused.deb', { status: 403 });
  mirror.rule('/broken.deb', { status: 500 });
  const bodies: string[] = [];
  for (const target of targets) {
    for (const method of ['GET', 'POST', 'CONNECT']) {
      const { status, body } = await daemon.request(target, { method });
      bodies.push(body.toString());
      if (target !== '/?token=s3cret') t.ok(status >= 400, `${method} ${target}: ${status}`);
    }
  }
  bodies.push((await daemon.request('/x', { host: `user:s3cret@${host}` })).body.toString());

  const held = archive.url(archive.file('held').path);
  mirror.rule(held, { stallAt: 500_000 });
  const asked = exchange(daemon.target, requestText('GET', `/${host}${held}?token=s3cret`, daemon.ready.http));
  await until('it is being fetched', async () => (await daemon.status()).transfers.length > 0);
  const [transfer] = (await daemon.status()).transfers;
  t.match(transfer?.path, /\?\.\.\.$/, 'a query that is left out shows');
  const status = (await daemon.request('/status.json')).body.toString();
  const page = (await daemon.request('/')).body.toString();
  mirror.clearRules();
  t.equal((await daemon.stop()).code, 0);
  await asked;

  t.match(status, /BAD_TARGET/, 'what went wrong is told');
  t.ok(daemon.logged('none.deb?...').length > 0, 'and logged');
  for (const [what, text] of [
    ['answers', bodies.join('')],
    ['/status.json', status],
    ['the page', page],
    ['the log', daemon.lines.join('\n')],
  ] as const) {
    t.notMatch(text, /s3cret/, what);
  }
});

/** A directory that is asked for without its slash: its listing has relative links, which the client resolves. */
import t from 'tap';

import { exchange, requestText } from '../support/raw-http.ts';
import { startGateway } from './fixtures/gateway-scene.ts';

t.test('the client is told to ask with the slash, in the form in which it asked', async (t) => {
  const s = await startGateway(t);
  const { host } = s.web;
  const page = Buffer.from('<a href="main/">main/</a>');
  for (const path of ['/debian/dists', '/debian/a:b', '/debian/x y']) {
    const redirect = `${s.web.url}${path.replace(' ', '%20')}/`;
    s.web.rule(path, { redirect, status: 301 });
    s.web.rule(`${path}/`, { content: page, headers: { 'content-type': 'text/html' } });
  }
  s.web.rule('/', { content: page });
  /** Target and where it leads to, as the client resolves that. */
  const cases: readonly (readonly [target: string, leadsTo: string])[] = [
    [`/${host}/debian/dists`, `/${host}/debian/dists/`],
    [`/${host}/debian/dists?C=M&O=D`, `/${host}/debian/dists/?C=M&O=D`],
    [`/${host}/debian/a:b`, `/${host}/debian/a:b/`],
    [`/${host}/debian/x%20y`, `/${host}/debian/x%20y/`],
    [`http://${host}/debian/dists`, `http://${host}/debian/dists/`],
    [`/${host}`, `/${host}/`],
  ];
  for (const [target, leadsTo] of cases) {
    const isProxyForm = target.startsWith('http');
    const asked = isProxyForm ? target : `http://${s.host}${target}`;
    const expected = isProxyForm ? leadsTo : `http://${s.host}${leadsTo}`;
    for (const method of ['GET', 'HEAD']) {
      const text = requestText(method, target, isProxyForm ? host : s.host);
      const [answer] = await exchange(s.target, text, { methods: [method] });
      t.match(answer, { status: 301, headers: { 'x-debtorrent-error': 'DIRECTORY' } }, `${method} ${target}`);
      t.equal(new URL(answer?.headers['location'] ?? '', asked).href, expected, `${method} ${target}`);
    }
    const [listing] = await exchange(s.target, requestText('GET', leadsTo, isProxyForm ? host : s.host));
    t.equal(listing?.body.toString(), page.toString(), leadsTo);
  }
  t.match(await s.mirror.ref.ask('stats'), [{ errors: 0, failing: false }], 'nothing is wrong with the mirror');
});

t.test('a host that is not allowed has no directories', async (t) => {
  const s = await startGateway(t);
  const [answer] = await exchange(s.target, requestText('GET', '/forbidden.example', s.host));
  t.match(answer, { status: 403, headers: { 'x-debtorrent-error': 'HOST_NOT_ALLOWED' } });
});

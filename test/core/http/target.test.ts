import fc from 'fast-check';
import t from 'tap';
import { DebtorrentError } from '../../../src/core/errors.ts';
import { parseTarget, type OwnNames } from '../../../src/core/http/target.ts';

const OWN: OwnNames = { hosts: new Set(['localhost', '127.0.0.1', '::1', 'cache.example.org']), port: 9988 };
const get = (target: string, host: string | undefined = '127.0.0.1:9988') => parseTarget('GET', target, host, OWN);
const mirror = (url: string) => ({ kind: 'mirror', url });

t.test('prefix form', async (t) => {
  t.same(
    get('/ftp.us.debian.org/debian/dists/sid/InRelease'),
    mirror('http://ftp.us.debian.org/debian/dists/sid/InRelease'),
  );
  t.same(get('/ftp.us.debian.org:8080/x'), mirror('http://ftp.us.debian.org:8080/x'));
  t.same(get('/[::2]:81/x'), mirror('http://[::2]:81/x'));
  t.same(get('/%5B::2%5D%3a81/x'), mirror('http://[::2]:81/x'));
  t.same(get('/ftp.us.debian.org'), { ...mirror('http://ftp.us.debian.org/'), bare: true });
  t.same(get('/ftp.us.debian.org/'), mirror('http://ftp.us.debian.org/'));
  t.same(get('/ftp.us.debian.org/x?q=/..'), mirror('http://ftp.us.debian.org/x?q=/..'));
  t.same(get('/ftp.us.debian.org/x', 'any.name.example'), mirror('http://ftp.us.debian.org/x'), 'under any Host');
  t.same(get('/ftp.us.debian.org/x', undefined), mirror('http://ftp.us.debian.org/x'), 'HTTP/1.0');
});

t.test('proxy form', async (t) => {
  t.same(get('http://ftp.de.debian.org/g%2b%2b', 'ftp.de.debian.org'), mirror('http://ftp.de.debian.org/g++'));
  t.same(get('http://ftp.de.debian.org:80/x', 'FTP.de.debian.org'), mirror('http://ftp.de.debian.org/x'));
  t.same(get('HTTP://ftp.de.debian.org', 'ftp.de.debian.org:80'), mirror('http://ftp.de.debian.org/'));
  t.same(parseTarget('GET', 'http://ftp.de.debian.org/x', undefined, OWN), mirror('http://ftp.de.debian.org/x'));
});

t.test('HTTPS/// in prefix form and in proxy form', async (t) => {
  t.same(get('/HTTPS///ftp.de.debian.org/debian/x'), mirror('https://ftp.de.debian.org/debian/x'));
  t.same(get('/HTTPS///ftp.de.debian.org:8443/x'), mirror('https://ftp.de.debian.org:8443/x'));
  t.same(get('http://HTTPS///ftp.de.debian.org/debian/x', 'HTTPS'), mirror('https://ftp.de.debian.org/debian/x'));
  t.same(
    get('http://127.0.0.1:9988/HTTPS///ftp.de.debian.org/x'),
    mirror('https://ftp.de.debian.org/x'),
    'both at once',
  );
  const bare = { ...mirror('https://ftp.de.debian.org/?q'), bare: true };
  for (const target of ['/HTTPS///ftp.de.debian.org?q', 'http://HTTPS///ftp.de.debian.org?q']) {
    t.same(parseTarget('GET', target, undefined, OWN), bare, target);
  }
  t.throws(() => get('/HTTPS////x'), { code: 'BAD_TARGET' });
});

t.test('CONNECT', async (t) => {
  const connect = (target: string, host?: string) => parseTarget('CONNECT', target, host, OWN);
  t.same(connect('ftp.de.debian.org:443', 'ftp.de.debian.org:443'), {
    kind: 'tunnel',
    host: 'ftp.de.debian.org',
    port: 443,
  });
  t.same(connect('Ftp.De.Debian.org:443', 'ftp.de.debian.org'), {
    kind: 'tunnel',
    host: 'ftp.de.debian.org',
    port: 443,
  });
  t.same(connect('[2001:DB8::1]:443'), { kind: 'tunnel', host: '2001:db8::1', port: 443 });
  for (const target of [
    'ftp.de.debian.org',
    'ftp.de.debian.org:0',
    '/ftp.de.debian.org:443',
    'http://ftp.de.debian.org:443',
    ':443',
    '',
  ]) {
    t.throws(() => connect(target), { code: 'BAD_TARGET' }, target);
  }
  t.throws(() => connect('ftp.de.debian.org:443', 'other.example'), { code: 'BAD_REQUEST' });
});

t.test("the daemon's own pages are served under its own names only", async (t) => {
  for (const path of ['/', '/status.json', '/status.events', '/metrics', '/healthz', '/readyz']) {
    t.same(get(path), { kind: 'own', path, query: '' });
    t.throws(() => get(path, 'rebound.example:9988'), { code: 'MISDIRECTED' }, path);
  }
  t.same(get('/metrics?x=1', 'cache.example.org'), { kind: 'own', path: '/metrics', query: 'x=1' });
  t.same(get('http://localhost:9988/healthz', 'localhost:9988'), { kind: 'own', path: '/healthz', query: '' });
  t.same(parseTarget('GET', '/healthz', undefined, OWN), { kind: 'own', path: '/healthz', query: '' });
});

t.test('the daemon does not fetch from itself', async (t) => {
  t.throws(() => get('/localhost:9988/ftp.de.debian.org/x'), { code: 'BAD_TARGET' });
  t.throws(() => get('/[0::1]:9988/x'), { code: 'BAD_TARGET' });
  t.same(get('/localhost/x'), mirror('http://localhost/x'), 'another server on this machine is for the rules to judge');
});

t.test('.. in paths, absolute URI with another Host, odd authorities: 400', async (t) => {
  t.throws(() => get('http://ftp.de.debian.org/x', 'evil.example'), { code: 'BAD_REQUEST' });
  t.throws(() => get('http://ftp.de.debian.org/x', 'ftp.de.debian.org:81'), { code: 'BAD_REQUEST' });
  t.throws(() => get('/x', 'a b'), { code: 'BAD_REQUEST' });
  t.throws(() => get('/x', 'user@localhost'), { code: 'BAD_REQUEST' });
  const bad = [
    '',
    '*',
    'x',
    '//a.org/x',
    '/a.org/../b.org',
    '/a.org/%2e%2e/x',
    '/../x',
    '/%2e%2e/x',
    '/a.org/%00',
    '/user@a.org/x',
    '/a.org#f',
    '/a.org/x#f',
  ];
  for (const target of [
    ...bad,
    '/a.org:99999/x',
    '/a.org:/x',
    '/a%2eorg/x',
    '/0x7f.1/x',
    '/2130706433/x',
    `/a.org/${'x'.repeat(8192)}`,
    '/\\a.org/x',
  ]) {
    t.throws(() => get(target), { code: 'BAD_TARGET' }, target.slice(0, 30));
  }
  for (const target of [
    'https://a.org/x',
    'ftp://a.org/x',
    'http:/a.org/x',
    'http://',
    'http:///x',
    'http://u@a.org/x',
    'http://a.org:x/',
    'http://a.org#x',
    'file:///etc/passwd',
  ]) {
    t.throws(() => get(target, 'a.org'), { code: 'BAD_TARGET' }, target);
  }
});

t.test('whatever comes, the answer is a target or an error of the client', async () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    'HTTPS///',
    'http://',
    'a.org',
    ':80',
    '..',
    '%2e',
    '%',
    '?',
    '#',
    '@',
    '[',
    ']',
    '\\',
    '%00',
  );
  const anything = fc.array(fc.oneof(piece, fc.string()), { maxLength: 10 }).map((parts) => parts.join(''));
  const method = fc.constantFrom('GET', 'CONNECT');
  fc.assert(
    fc.property(method, anything, fc.option(anything, { nil: undefined }), (verb, target, host) => {
      try {
        const parsed = parseTarget(verb, target, host, OWN);
        if (parsed.kind === 'mirror' && !/^https?:\/\/[^/]+\/[\x21-\x7e]*$/.test(parsed.url))
          throw new Error(parsed.url);
      } catch (error) {
        if (!(error instanceof DebtorrentError)) throw error;
        if (!['BAD_REQUEST', 'BAD_TARGET', 'MISDIRECTED'].includes(error.code)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

t.test('all forms of a file are one MirrorUrl', async () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9+~.-]{0,20}[a-z0-9]$/);
  fc.assert(
    fc.property(fc.domain(), name, (host, file) => {
      const escaped = file.replaceAll('+', '%2b').replaceAll('~', '%7e');
      const urls = [get(`/${host}/${file}`), get(`/${host}:80/${escaped}`), get(`http://${host}/${escaped}`, host)];
      return urls.every((target) => target.kind === 'mirror' && target.url === `http://${host.toLowerCase()}/${file}`);
    }),
  );
});

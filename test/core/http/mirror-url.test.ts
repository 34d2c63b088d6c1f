import fc from 'fast-check';
import t from 'tap';
import { mirrorRequest, mirrorUrl, parseMirrorUrl } from '../../../src/core/http/mirror-url.ts';

t.test('%2B and + , %7e and ~ are one file', async (t) => {
  const url = 'http://ftp.de.debian.org/pool/g/g%2b%2b/g++_4%3a12~rc%7E1.deb';
  t.equal(parseMirrorUrl(url), 'http://ftp.de.debian.org/pool/g/g++/g++_4:12~rc~1.deb');
});

t.test('host, scheme and port have one spelling', async (t) => {
  t.equal(parseMirrorUrl('HTTP://Ftp.DE.Debian.ORG.:80'), 'http://ftp.de.debian.org/');
  t.equal(parseMirrorUrl('https://ftp.de.debian.org:443/x'), 'https://ftp.de.debian.org/x');
  t.equal(parseMirrorUrl('https://ftp.de.debian.org:80/x'), 'https://ftp.de.debian.org:80/x');
  t.equal(parseMirrorUrl('http://[0::1]:3142/x'), 'http://[::1]:3142/x');
});

t.test('what must be encoded is, in upper case, and an encoded slash stays encoded', async (t) => {
  t.equal(mirrorUrl('http', 'a.org', '/a%2fb%20c%c3%a9%5bd%5D"{'), 'http://a.org/a%2Fb%20c%C3%A9%5Bd%5D%22%7B');
  t.equal(mirrorUrl('http', 'a.org', '/100%25'), 'http://a.org/100%25');
});

t.test('queries are kept as they are', async (t) => {
  t.equal(mirrorUrl('http', 'a.org', '/f?x=%7e+%2b&y=/../?'), 'http://a.org/f?x=%7e+%2b&y=/../?');
  t.equal(mirrorUrl('http', 'a.org', '/f?'), 'http://a.org/f?');
  t.equal(mirrorUrl('http', 'a.org', '?x'), 'http://a.org/?x');
});

t.test('paths that could be read in two ways are refused', async (t) => {
  const bad = ['/../x', '/a/..', '/%2e%2e/x', '/.%2E/x', '/a%2f..%2fb', '/a\\b', '/a%5cb', '/a%00', '/a%0d%0ab'];
  for (const path of [
    ...bad,
    '/%',
    '/%2',
    '/%zz',
    '/a\tb',
    '/a\x7f',
    '/%7F',
    '/é',
    '/a?b\nc',
    '/a?%00',
    '/a?%',
    '/a?#b',
    'a',
    `/${'a'.repeat(8192)}`,
  ]) {
    t.throws(() => mirrorUrl('http', 'a.org', path), { code: 'BAD_TARGET' }, JSON.stringify(path.slice(0, 20)));
  }
  for (const path of ['/a/./b', '/a/././b', '/a/%2e/b', '/./a/b']) {
    t.equal(mirrorUrl('http', 'a.org', path), 'http://a.org/a/b', `${path}: flat repositories are asked for so`);
  }
  t.equal(mirrorUrl('http', 'a.org', '/a/.'), 'http://a.org/a/');
  t.equal(mirrorUrl('http', 'a.org', '/a..b/...c/.d'), 'http://a.org/a..b/...c/.d', 'dots within names are names');
});

t.test('URLs with user names, fragments, other schemes or bad authorities are refused', async (t) => {
  for (const url of [
    'ftp://a.org/',
    'http:///x',
    'http://u:p@a.org/',
    'http://a.org/#f',
    'http://a.org:0/',
    'http://a.org:65536/',
    'a.org/x',
    '//a.org/x',
    'http://0x7f.1/',
  ]) {
    t.throws(() => parseMirrorUrl(url), { code: 'BAD_TARGET' }, url);
  }
});

t.test('the request to the mirror has the host apart and the path ready to send', async (t) => {
  t.same(mirrorRequest(parseMirrorUrl('https://[::1]:8443/p/g++?q')), {
    scheme: 'https',
    host: '::1',
    port: 8443,
    origin: 'https://[::1]:8443',
    target: '/p/g++?q',
  });
  t.match(mirrorRequest(parseMirrorUrl('https://a.org')), { port: 443, target: '/' });
  t.match(mirrorRequest(parseMirrorUrl('http://a.org/%25')), { port: 80, origin: 'http://a.org', target: '/%25' });
});

const anyPath = fc.array(fc.oneof(fc.webSegment(), fc.string(), fc.constantFrom('%2F', '%2e', '+', '~', '..', '%')), {
  maxLength: 8,
});

t.test('a MirrorUrl is a fixed point, and a URL that others read in the same way', async () => {
  fc.assert(
    fc.property(fc.domain(), fc.option(fc.integer({ min: 1, max: 65535 })), anyPath, (host, port, segments) => {
      const text = `http://${host}${port === null ? '' : `:${port}`}/${segments.join('/')}`;
      let url;
      try {
        url = parseMirrorUrl(text);
      } catch {
        return;
      }
      if (parseMirrorUrl(url) !== url) throw new Error('not a fixed point');
      const { host: sentTo, origin, target } = mirrorRequest(url);
      if (origin + target !== url) throw new Error('does not add up');
      const other = new URL(url);
      if (other.hostname !== sentTo || other.pathname !== target.split('?')[0])
        throw new Error(`${other.href} is not ${url}`);
    }),
    { numRuns: 1000 },
  );
});

t.test('encoding more of a path than is needed changes nothing', async () => {
  const name = fc.stringMatching(/^[a-z0-9][A-Za-z0-9+~._:=@!$&'()*,;-]{0,20}$/);
  fc.assert(
    fc.property(name, fc.array(fc.boolean()), (plain, which) => {
      const encode = (char: string, at: number) => (which[at] ? `%${char.charCodeAt(0).toString(16)}` : char);
      const encoded = [...plain].map(encode).join('');
      return mirrorUrl('http', 'a.org', `/${encoded}`) === mirrorUrl('http', 'a.org', `/${plain}`);
    }),
  );
});

import t from 'tap';
import { shownAuthority, shownTarget, withoutSecrets } from '../../../src/core/http/shown.ts';

t.test('of request targets, passwords and queries are left out', async (t) => {
  const shown: Record<string, string> = {
    '/ftp.us.debian.org/debian/pool/a_1+b~c.deb': '/ftp.us.debian.org/debian/pool/a_1+b~c.deb',
    '/ftp.us.debian.org/a@b/c': '/ftp.us.debian.org/a@b/c',
    '/user:secret@a.org:80/x': '/***@a.org:80/x',
    '/user%3Asecret%40a.org/x': '/***@a.org/x',
    '/user:sec/ret@a.org/x': '/***@a.org/x',
    '/user:sec?ret@a.org/x': '/***@a.org/x',
    '/user:sec@ret@a.org/x?token=1': '/***@a.org/x?...',
    'http://user:secret@a.org/x': 'http://***@a.org/x',
    'ftp://user:secret@a.org/x': 'ftp://***@a.org/x',
    '/HTTPS///user:secret@a.org/x': '/HTTPS///***@a.org/x',
    'http://HTTPS///user:secret@a.org/x': 'http://HTTPS///***@a.org/x',
    '/http://user:secret@a.org/x': '/http://***@a.org/x',
    '/http:/user:secret@a.org/x': '/***@a.org/x',
    '/a.org/x.deb?token=secret': '/a.org/x.deb?...',
    '/a.org/x.deb?mail=me@b.org': '/a.org/x.deb?...',
    '/a.org/x#secret': '/a.org/x?...',
    '/?secret': '/?...',
    '@': '***@',
  };
  for (const [target, expected] of Object.entries(shown)) t.equal(shownTarget(target), expected, target);
});

t.test('so they are of URLs in texts', async (t) => {
  const shown: Record<string, string> = {
    'nothing of that kind: a@b?c': 'nothing of that kind: a@b?c',
    'http://a.org/x@y: the mirror answers 500': 'http://a.org/x@y: the mirror answers 500',
    'http://a.org/x?token=secret: the mirror answers 403': 'http://a.org/x?...: the mirror answers 403',
    'redirected to https://u:secret@a.org:1/x?y=secret, which': 'redirected to https://***@a.org:1/x?..., which',
    'http://a.org/?b=http://u:p@c/': 'http://a.org/?...',
  };
  for (const [text, expected] of Object.entries(shown)) t.equal(withoutSecrets(text), expected, text);
});

t.test('what stands where a host should is shown unless it may be a password', async (t) => {
  for (const text of ['', 'a..b', 'a.org:99999', '::1', '[::1', 'http:']) t.equal(shownAuthority(text), text);
  for (const text of ['u@a.org', 'u:p@a.org', 'u:secret', 'u%40a.org']) t.equal(shownAuthority(text), undefined, text);
});

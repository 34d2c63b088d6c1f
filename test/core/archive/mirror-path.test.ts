import fc from 'fast-check';
import t from 'tap';
import { parseMirrorUrl } from '../../../src/core/http/mirror-url.ts';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import { joinMirrorUrl, splitMirrorUrl, splits } from '../../../src/core/archive/mirror-path.ts';

const ROOT = 'http://ftp.us.debian.org/debian' as MirrorUrl;

t.test('a path of an index gives the URL that a request for it is parsed to', async (t) => {
  const segment = fc
    .oneof(
      fc.string({ minLength: 1 }),
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.constantFrom('a+b~1%2b:1.deb'),
    )
    .filter((s) => !/[/\\\p{Cc}\p{Cs}]/u.test(s) && s !== '.' && s !== '..');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const url = joinMirrorUrl(ROOT, segments.join('/'));
      t.equal(parseMirrorUrl(url), url);
      t.strictSame(splitMirrorUrl(url)?.segments, ['debian', ...segments]);
    }),
    { numRuns: 300 },
  );
  t.equal(joinMirrorUrl(ROOT, 'g/g++_1~rc1_amd64.deb'), `${ROOT}/g/g++_1~rc1_amd64.deb`);
});

t.test('a URL is cut at each slash, the longest directory first', async (t) => {
  const path = splitMirrorUrl('http://h:8080/a//b/./c' as MirrorUrl);
  t.strictSame(path && [...splits(path)], [
    { key: 'h:8080/a/b', rest: 'c' },
    { key: 'h:8080/a', rest: 'b/c' },
    { key: 'h:8080', rest: 'a/b/c' },
  ]);
});

for (const url of ['http://h/a?b', 'http://h/../a', 'http://h/a%2Fb', 'http://h/%ff', 'ftp://h/a']) {
  t.equal(splitMirrorUrl(url as MirrorUrl), undefined, `${url} names no file of an archive`);
}

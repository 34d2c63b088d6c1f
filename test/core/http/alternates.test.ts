import t from 'tap';
import { alternatesOf, type AlternateMirror } from '../../../src/core/http/alternates.ts';
import { parseMirrorUrl } from '../../../src/core/http/mirror-url.ts';

const pair = (one: string, other: string): AlternateMirror => [parseMirrorUrl(one), parseMirrorUrl(other)];
const PAIRS = [
  pair('http://ftp.us.debian.org/debian/', 'https://ftp.de.debian.org/debian/'),
  pair('http://ftp.us.debian.org/debian/', 'http://ftp.uk.debian.org/mirror/debian/'),
];

t.test('a pair works in both directions', async (t) => {
  t.same(alternatesOf(parseMirrorUrl('https://ftp.de.debian.org/debian/dists/sid/InRelease'), PAIRS), [
    'http://ftp.us.debian.org/debian/dists/sid/InRelease',
  ]);
  t.same(alternatesOf(parseMirrorUrl('http://ftp.us.debian.org/debian/x'), PAIRS), [
    'https://ftp.de.debian.org/debian/x',
    'http://ftp.uk.debian.org/mirror/debian/x',
  ]);
});

t.test('a URL outside of the prefixes has no alternates', async (t) => {
  t.same(alternatesOf(parseMirrorUrl('http://ftp.us.debian.org/debian-security/x'), PAIRS), []);
  t.same(alternatesOf(parseMirrorUrl('http://ftp.de.debian.org/debian/x'), PAIRS), [], 'another scheme');
});

import t from 'tap';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import { locate } from '../../../src/core/archive/location.ts';

const at = (url: string) => locate(url as MirrorUrl);
const HASH = 'ab'.repeat(32);

t.strictSame(
  at('http://ftp.us.debian.org/debian/dists/bookworm/InRelease'),
  {
    kind: 'release',
    root: 'http://ftp.us.debian.org/debian',
    releaseDir: 'http://ftp.us.debian.org/debian/dists/bookworm',
    layout: 'dists',
    name: 'InRelease',
  },
  'a suite has its Release under dists/',
);
t.match(
  at('https://security.debian.org/dists/bookworm/updates/Release.gpg'),
  {
    root: 'https://security.debian.org',
    releaseDir: 'https://security.debian.org/dists/bookworm/updates',
    name: 'Release.gpg',
  },
  'suites may have slashes',
);
t.match(
  at('http://ftp.us.debian.org/repo/InRelease'),
  { kind: 'release', root: 'http://ftp.us.debian.org/repo', layout: 'flat' },
  'an InRelease outside of dists/ is of a flat archive',
);
t.match(
  at('http://ftp.us.debian.org/InRelease'),
  { kind: 'release', root: 'http://ftp.us.debian.org', layout: 'flat' },
  'a flat archive may be the whole host',
);
t.match(
  at('http://ftp.us.debian.org/debian/dists/bookworm/main/binary-amd64/Release'),
  { kind: 'dists', root: 'http://ftp.us.debian.org/debian', path: 'bookworm/main/binary-amd64/Release' },
  'the unsigned Release of a component is no Release',
);
t.match(
  at(`http://ftp.us.debian.org/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/${HASH.toUpperCase()}`),
  {
    kind: 'by-hash',
    root: 'http://ftp.us.debian.org/debian',
    dir: 'http://ftp.us.debian.org/debian/dists/bookworm/main/binary-amd64',
    algorithm: 'SHA256',
    hash: HASH,
  },
  'by-hash names are recognised and in lower case',
);
t.match(
  at(`http://ftp.us.debian.org/flat/by-hash/MD5Sum/${HASH.slice(0, 32)}`),
  { kind: 'by-hash', dir: 'http://ftp.us.debian.org/flat', algorithm: 'MD5Sum' },
  'flat archives can have by-hash too',
);
for (const url of [
  'http://ftp.us.debian.org/debian/pool/main/h/hello/hello_1_amd64.deb',
  `http://ftp.us.debian.org/flat/by-hash/SHA256/${HASH}0`,
  'http://ftp.us.debian.org/debian/dists/InRelease?x',
  'http://ftp.us.debian.org/debian/dists/',
  'http://ftp.us.debian.org/a%2Fb/InRelease',
]) {
  t.strictSame(at(url), { kind: 'other' }, `${url} is nothing of an archive's metadata`);
}

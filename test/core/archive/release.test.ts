import fc from 'fast-check';
import t from 'tap';
import { isExpired, isOlder, parseRelease } from '../../../src/core/archive/release.ts';
import { buildReleaseSegment } from '../../../src/core/archive/release-segment.ts';

const SHA = 'ab'.repeat(32);
const MD5 = 'cd'.repeat(16);
const HEAD =
  'Origin: Debian\nLabel: Debian\nSuite: oldstable\nCodename: bookworm\nVersion: 12.11\n' +
  'Date: Sat, 17 May 2025 08:46:54 UTC\nValid-Until: Sat, 24 May 2025 08:46:54 UTC\nAcquire-By-Hash: yes\n' +
  'No-Support-for-Architecture-all: Packages\nArchitectures: all amd64\nComponents: main contrib\n';
const files = (...lines: string[]): string => `SHA256:\n${lines.map((l) => ` ${l}\n`).join('')}`;

t.test('a Release says what it says', async (t) => {
  const release = parseRelease(
    `${HEAD}MD5Sum:\n ${MD5} 5 main/binary-amd64/Packages.xz\n ${MD5} 6 only-md5\n` +
      files(`${SHA} 5 main/binary-amd64/Packages.xz`, `${SHA}     5 ./x`),
  );
  t.match(release, {
    origin: 'Debian',
    suite: 'oldstable',
    codename: 'bookworm',
    date: Date.UTC(2025, 4, 17, 8, 46, 54),
    validUntil: Date.UTC(2025, 4, 24, 8, 46, 54),
    acquireByHash: true,
    noSupportForArchitectureAll: true,
    components: ['main', 'contrib'],
    architectures: ['all', 'amd64'],
    skipped: 0,
  });
  t.strictSame(
    [...release.files],
    [
      ['main/binary-amd64/Packages.xz', { size: 5, sha256: SHA, md5: MD5 }],
      ['x', { size: 5, sha256: SHA }],
    ],
    'only files with a SHA-256 count',
  );
});

t.test('lines that cannot be right are left out', async (t) => {
  const release = parseRelease(
    HEAD + files(`${SHA} 1 ok`, `${SHA} 1 ../up`, `${SHA} 1 /abs`, `${SHA} -1 a`, `${SHA} 9999999999 big`, 'nonsense'),
  );
  t.strictSame([...release.files.keys()], ['ok']);
  t.equal(release.skipped, 5);
});

t.test('a name with two contents is left out', async (t) => {
  const other = 'ef'.repeat(32);
  t.strictSame([...parseRelease(HEAD + files(`${SHA} 1 a`, `${other} 1 a`, `${SHA} 1 b`)).files.keys()], ['b']);
});

t.test('what is ambiguous or absurd is refused', async (t) => {
  for (const [what, text] of Object.entries({
    'a field twice': `${HEAD}codename: trixie\n`,
    'two stanzas': `${HEAD}\nOrigin: x\n`,
    'a line that is no field': `${HEAD}what\n`,
    'a continued line at the start': ` x\n${HEAD}`,
    'NUL bytes': `${HEAD}X: \0\n`,
    'a Valid-Until that is none': 'Date: Sat, 17 May 2025 08:46:54 UTC\nValid-Until: never\n',
    'a Valid-Until in another zone':
      'Date: Sat, 17 May 2025 08:46:54 UTC\nValid-Until: Sat, 24 May 2025 08:46:54 +0200\n',
    'a page': '<html></html>',
  })) {
    t.throws(() => parseRelease(text), { code: 'RELEASE_MALFORMED' }, what);
  }
});

t.test('dates as archives have them', async (t) => {
  const date = (value: string): number => parseRelease(`Date: ${value}\n${files(`${SHA} 1 ok`)}`).date;
  const then = Date.UTC(2025, 4, 17, 8, 46, 54);
  for (const end of ['UTC', 'GMT', 'Z', '+0000', '-0000']) t.equal(date(`Sat, 17 May 2025 08:46:54 ${end}`), then, end);
  t.equal(date('Sat, 17 May 2025 10:46:54 +0200'), then);
  t.equal(date('Sat, 17 May 2025 00:46:54 -0800'), then);
  t.equal(date('2025-05-17 08:46:54 UTC'), then);
  for (const none of ['', 'yesterday', 'Sat, 17 May 2025 08:46:54 CET', '六, 17 5月 2025 08:46:54 UTC', '05-17-2025']) {
    t.equal(date(none), 0, `'${none}' counts as none`);
  }
  t.equal(parseRelease(HEAD.replace(/Valid-Until: .*/, 'Valid-Until:')).validUntil, undefined);
});

t.test('time', async (t) => {
  t.ok(isExpired({ validUntil: 10 }, 11));
  t.notOk(isExpired({ validUntil: 10 }, 10));
  t.notOk(isExpired({}, Number.MAX_SAFE_INTEGER), 'without Valid-Until it never expires');
  t.ok(isOlder({ date: 1 }, { date: 2 }));
  t.notOk(isOlder({ date: 2 }, { date: 2 }), 'the same date is not older');
});

t.test('no text whatever makes it throw anything else', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(HEAD, 'SHA256:\n', ` ${SHA} 1 a\n`, '\n', ' ', ':'), fc.string())),
      (p) => {
        try {
          parseRelease(p.join(''));
        } catch (error) {
          t.match(error, { code: 'RELEASE_MALFORMED' });
        }
      },
    ),
    { numRuns: 300 },
  );
});

t.test('its segment has plain and by-hash names', async (t) => {
  const release = parseRelease(
    `${HEAD}MD5Sum:\n ${MD5} 5 main/binary-amd64/Packages.xz\n${files(`${SHA} 5 main/binary-amd64/Packages.xz`)}`,
  );
  const segment = buildReleaseSegment(release);
  const hit = { sha256: SHA, size: 5 };
  t.strictSame(segment?.lookup('main/binary-amd64/Packages.xz'), hit);
  t.strictSame(segment?.lookup(`main/binary-amd64/by-hash/SHA256/${SHA}`), hit);
  t.strictSame(segment?.lookup(`main/binary-amd64/by-hash/MD5Sum/${MD5}`), hit);
  t.equal(segment?.lookupSha(SHA as never)?.path, 'main/binary-amd64/Packages.xz', 'a hash leads to the plain name');
});

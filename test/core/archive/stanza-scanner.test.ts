import fc from 'fast-check';
import t from 'tap';
import { StanzaScanner, type ScanResult } from '../../../src/core/archive/stanza-scanner.ts';

const SHA = 'ab'.repeat(32);
const stanza = (fields: Record<string, string>): string =>
  `${Object.entries(fields)
    .map(([k, v]) => `${k}: ${v}\n`)
    .join('')}\n`;
const pkg = (changes: Record<string, string> = {}): string =>
  stanza({ Package: 'a', Filename: 'pool/a_1.deb', Size: '12', SHA256: SHA, Description: 'x\n more\n .', ...changes });

type Found = { path: string; size: number; sha: string };

function scan(text: string | Buffer, kind: 'packages' | 'sources' = 'packages', cuts: readonly number[] = []) {
  const found: Found[] = [];
  const scanner = new StanzaScanner(kind, (bytes, start, end, size, sha) => {
    found.push({
      path: Buffer.from(bytes.subarray(start, end)).toString(),
      size,
      sha: Buffer.from(sha).toString('hex'),
    });
  });
  const data = Buffer.from(text);
  const ends = [...cuts.map((c) => c % (data.length + 1)), data.length].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    // a buffer of its own, overwritten afterwards as a reused one would be
    const chunk = Buffer.from(data.subarray(from, to));
    scanner.feed(chunk);
    chunk.fill(0x58);
    from = to;
  }
  const result: ScanResult = scanner.end();
  return { found, ...result };
}

const SOURCES =
  'Package: s\nFiles:\n 0123 1 s_1.dsc\nChecksums-Sha1:\n 00 1 s_1.dsc\nChecksums-Sha256:\n' +
  ` ${SHA} 100 s_1.dsc\n ${SHA} 200 s_1.tar.xz\nDirectory: pool/main/s/s\n\n`;

t.test('each file of Packages is found', async (t) => {
  t.strictSame(scan(pkg() + pkg({ Filename: './b.deb', size: '7' }).replace('Size: 12\n', '')), {
    found: [
      { path: 'pool/a_1.deb', size: 12, sha: SHA },
      { path: 'b.deb', size: 7, sha: SHA },
    ],
    stanzas: 2,
    entries: 2,
    skipped: 0,
  });
});

t.test('each file of Sources is found, wherever Directory stands', async (t) => {
  t.strictSame(scan(SOURCES, 'sources').found, [
    { path: 'pool/main/s/s/s_1.dsc', size: 100, sha: SHA },
    { path: 'pool/main/s/s/s_1.tar.xz', size: 200, sha: SHA },
  ]);
  const none = `Checksums-Sha256:\n ${SHA} 1 a.dsc`;
  t.equal(scan(none, 'sources').found[0]?.path, 'a.dsc', 'apt-ftparchive leaves an empty one out');
  const flat = `Directory: .\nChecksums-Sha256:\n ${SHA} 1 a.dsc`;
  t.equal(scan(flat, 'sources').found[0]?.path, 'a.dsc', 'and the last line may lack its line feed');
});

t.test('chunks may end anywhere', async (t) => {
  for (const [kind, text] of [
    ['packages', pkg() + pkg({ Size: '99', Filename: 'é/ü.deb' }) + pkg({ Depends: 'x'.repeat(3000) })],
    ['sources', SOURCES + SOURCES.replaceAll('s_1', 't_2').replaceAll('\n', '\r\n')],
  ] as const) {
    const whole = scan(text, kind);
    t.ok(whole.found.length >= 3);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20_000 }), { maxLength: 40 }), (cuts) => {
        t.strictSame(scan(text, kind, cuts), whole);
      }),
      { numRuns: 100 },
    );
    t.strictSame(
      scan(
        text,
        kind,
        Array.from({ length: text.length }, (_, i) => i),
      ),
      whole,
      'byte by byte',
    );
  }
});

t.test('an entry that cannot be right is left out, the rest stays', async (t) => {
  const bad: Record<string, string> = {
    'a parent in Filename': pkg({ Filename: 'pool/../../etc/passwd' }),
    'an absolute Filename': pkg({ Filename: '/etc/passwd' }),
    'a control character in Filename': pkg({ Filename: 'pool/a\x07.deb' }),
    'a Filename of two lines': pkg({ Filename: 'pool/a\n b.deb' }),
    'an endless Filename': pkg({ Filename: 'a'.repeat(100_000) }),
    'an absurd size': pkg({ Size: '99999999999999999999' }),
    'a size of over 64 GiB': pkg({ Size: String(64 * 1024 ** 3 + 1) }),
    'a negative size': pkg({ Size: '-1' }),
    'a size in hexadecimal': pkg({ Size: '0x10' }),
    'no size': pkg({ Size: '' }),
    'a short SHA256': pkg({ SHA256: 'ab'.repeat(31) }),
    'a SHA256 that is none': pkg({ SHA256: 'zz'.repeat(32) }),
    'two Filenames': pkg({ Filename: 'a\nFilename: b' }),
    'two sizes': pkg({ Size: '1\nSize: 1' }),
    'two SHA256': pkg({ SHA256: `${SHA}\nSHA256: ${SHA}` }),
    'no SHA256': pkg().replace(/SHA256.*\n/, ''),
    'a line that is no field': pkg({ Package: 'a\nwhat is this' }),
  };
  for (const [what, text] of Object.entries(bad)) {
    const { found, skipped } = scan(pkg({ Filename: 'before' }) + text + pkg({ Filename: 'after' }));
    t.strictSame(
      found.map((f) => f.path),
      ['before', 'after'],
      what,
    );
    t.equal(skipped, 1, what);
  }
});

t.test('a bad file of a source is left out, the others stay', async (t) => {
  for (const line of [`${SHA} 1 ../x`, `${SHA} 1 a/b`, `${SHA} x a`, `${SHA} 1`, `00 1 a`, `${SHA} 1 ..`]) {
    const { found, skipped } = scan(SOURCES.replace(` ${SHA} 200`, ` ${line}\n ${SHA} 200`), 'sources');
    t.equal(found.length, 2, line);
    t.equal(skipped, 1, line);
  }
  t.throws(() => scan(SOURCES.replace('pool/', '../pool/'), 'sources'), { code: 'INDEX_MALFORMED' });
  t.throws(() => scan(`${SOURCES.trim()}\nDirectory: twice`, 'sources'), { code: 'INDEX_MALFORMED' });
});

t.test('an empty index is an index', async (t) => {
  t.strictSame(scan(''), { found: [], stanzas: 0, entries: 0, skipped: 0 });
  t.equal(scan('\n\n').stanzas, 0);
});

t.test('what is no index is refused', async (t) => {
  t.throws(() => scan('<html>\n<body>404</body>\n</html>\n'), { code: 'INDEX_MALFORMED' }, 'a page');
  t.throws(() => scan(Buffer.from([0x50, 0, 0x51])), { code: 'INDEX_MALFORMED' }, 'NUL bytes');
});

t.test('100 MB of junk is refused promptly', async (t) => {
  const chunk = Buffer.alloc(64 * 1024, 0x61);
  const endless = new StanzaScanner('packages', () => undefined);
  let fed = 0;
  t.throws(
    () => {
      for (; fed < 100 * 1024 * 1024; fed += chunk.length) endless.feed(chunk);
    },
    { code: 'INDEX_MALFORMED' },
    'without a line feed',
  );
  t.ok(fed <= 9 * 1024 * 1024, `after ${fed} bytes`);
  const lines = Buffer.from('a: b\n'.repeat(10_000));
  const stanza = new StanzaScanner('packages', () => undefined);
  t.throws(
    () => {
      for (fed = 0; fed < 100 * 1024 * 1024; fed += lines.length) stanza.feed(lines);
    },
    { code: 'INDEX_MALFORMED' },
    'without an empty line',
  );
});

t.test('no bytes whatever make it throw anything else', async (t) => {
  const piece = fc.constantFrom(
    'Filename: a\n',
    'Size: 1\n',
    `SHA256: ${SHA}\n`,
    '\n',
    ' ',
    ':',
    'Directory',
    '\r',
    'é',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), fc.boolean(), (pieces, sources) => {
      try {
        scan(pieces.join(''), sources ? 'sources' : 'packages');
      } catch (error) {
        t.match(error, { code: 'INDEX_MALFORMED' });
      }
    }),
    { numRuns: 500 },
  );
});

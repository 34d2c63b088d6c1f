/** What is found in files of sources, and that nothing else in them changes. */
import fc from 'fast-check';
import t from 'tap';
import { compileHostRules } from '../../../src/core/host-rules.ts';
import { decide, turnBack, type RewriteRules } from '../../../src/commands/setup/source-uri.ts';
import { rewriteSources, turnBackSources } from '../../../src/commands/setup/rewrite.ts';
import { skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

const RULES: RewriteRules = {
  daemon: 'localhost:9988',
  alsoDaemon: new Set(['127.0.0.1:9988', 'localhost:9988']),
  hosts: compileHostRules([]),
  mirrorLists: new Set(['/etc/apt/mirrors/known.list']),
  hasCredentials: (host) => host === 'private.debian.org',
  tlsOptionOf: (host) => (host === 'own.debian.org' ? 'Acquire::https::own.debian.org::CaInfo' : undefined),
  pinOf: (host) => (host === 'pinned.debian.org' ? { pattern: host, file: '/p' } : undefined),
};

const D = 'debtorrent://localhost:9988';
const rewrite = (name: string, text: string) => {
  const { bytes, ...rest } = rewriteSources(name, Buffer.from(text, 'latin1'), RULES);
  return { text: bytes.toString('latin1'), ...rest };
};

t.test('addresses: only the front changes', async (t) => {
  const changed: Record<string, string> = {
    'http://ftp.de.debian.org/debian': `${D}/ftp.de.debian.org/debian`,
    'http://Deb.Debian.org/debian/': `${D}/Deb.Debian.org/debian/`,
    'http://ftp.de.debian.org': `${D}/ftp.de.debian.org`,
    'http://security.debian.org:80/debian-security': `${D}/security.debian.org:80/debian-security`,
    'http://ports.ubuntu.com/$(ARCH)/x~y+z%2b': `${D}/ports.ubuntu.com/$(ARCH)/x~y+z%2b`,
    'https://ftp.de.debian.org/debian': `${D}/HTTPS///ftp.de.debian.org/debian`,
    'http://HTTPS///ftp.de.debian.org/debian': `${D}/HTTPS///ftp.de.debian.org/debian`,
    'http://localhost:9988/pinned.debian.org/debian': `${D}/pinned.debian.org/debian`,
    'http://localhost:9988/ftp.us.debian.org/debian': `${D}/ftp.us.debian.org/debian`,
    'http://127.0.0.1:9988/HTTPS///ftp.de.debian.org/debian': `${D}/HTTPS///ftp.de.debian.org/debian`,
  };
  for (const [from, to] of Object.entries(changed)) t.same(decide(from, RULES), { kind: 'change', to }, from);
  t.same(decide(`${D}/ftp.de.debian.org/debian`, RULES), { kind: 'already' });
});

t.test('addresses that are left, each with a reason', async (t) => {
  const left: Record<string, RegExp> = {
    'cdrom:[Debian GNU/Linux]/': /^cdrom: is neither/,
    'file:/srv/debian': /^file: is/,
    'copy:/srv/debian': /^copy: is/,
    'tor+http://ftp.de.debian.org/debian': /^tor\+http: is/,
    'tor+https://ftp.de.debian.org/debian': /^tor\+https: is/,
    'mirror+file:/etc/apt/mirrors/debian.list': /^mirror\+file: is/,
    'mirror+https://ftp.de.debian.org/mirrors.txt': /^mirror\+https: is/,
    'mirror://ftp.de.debian.org/mirrors.txt': /^mirror: is/,
    'ftp://ftp.debian.org/debian': /^ftp: is/,
    'http://example.org/debian': /not an allowed mirror/,
    'https://deb.nodesource.com/node': /not an allowed mirror/,
    'http://localhost:3142/ftp.de.debian.org/debian': /localhost:3142 is not an allowed mirror/,
    'http://localhost:9988/example.org/debian': /example.org:80 is not/,
    'http://10.0.0.1/debian': /10.0.0.1:80 is not/,
    'http://user:secret@ftp.de.debian.org/debian': /user name/,
    'http://private.debian.org/debian': /password/,
    'https://Own.debian.org/debian': /^Acquire::https::own.debian.org::CaInfo is set, by which only APT/,
    'https://Pinned.debian.org:443/debian': /priority .* \/p .*--proxy/,
    'http://ftp.de.debian.org/a/../debian': /'\.\.'/,
    '"http://ftp.de.debian.org/debian"': /no address/,
    'http://"ftp.de.debian.org"/debian': /quotes/,
    'http:/ftp.de.debian.org': /no address/,
    'http://': /no address/,
    'http://ftp.de.debian.org/debian?x': /query/,
    'no-address': /no address/,
  };
  for (const [uri, why] of Object.entries(left)) t.match(decide(uri, RULES), { kind: 'leave', why }, uri);
});

t.test('what is turned back is what was there, for the forms that have one', async (t) => {
  t.equal(turnBack(`${D}/ftp.de.debian.org/debian`), 'http://ftp.de.debian.org/debian');
  t.equal(
    turnBack('debtorrent://[::1]:1/HTTPS///ftp.de.debian.org:444/debian'),
    'https://ftp.de.debian.org:444/debian',
  );
  t.equal(turnBack('http://ftp.de.debian.org/debian'), undefined);
  t.equal(turnBack('debtorrent://'), undefined);
});

t.test('one-line sources: options, comments, brackets, odd spacing', async (t) => {
  const text = [
    '# a comment\twith deb http://ftp.de.debian.org/debian in it',
    '#deb http://ftp.de.debian.org/off sid main',
    'deb http://ftp.de.debian.org/debian sid main # http://ftp.de.debian.org/debian',
    '\t deb-src\t[ signed-by=/a#b.gpg arch=amd64,arm64 ]   https://ftp.de.debian.org/debian   ./',
    'deb [trusted=yes]http://ftp.de.debian.org/debian sid main',
    'deb [ trusted=yes ]http://ftp.de.debian.org/debian sid main',
    'deb [arch=amd64 lang="a b"] http://ftp.de.debian.org/debian sid main',
    'deb cdrom:[Debian GNU/Linux 12 # x]/ sid main',
    'deb http://ftp.de.debian.org/debian',
    'deb [arch=amd64 http://ftp.de.debian.org/debian sid main',
    'rpm http://ftp.de.debian.org/debian sid main',
    'deb\x0bhttp://ftp.de.debian.org/debian\x0csid main \r',
    'deb http://ftp.de.debian.org/caf\xe9 sid main',
    'deb http://ftp.de.debian.org/last sid main',
  ].join('\n');
  const { text: changed, left, pairs } = rewrite('sources.list', text);
  const expected = text
    .replace('deb http://ftp.de.debian.org/debian sid main #', `deb ${D}/ftp.de.debian.org/debian sid main #`)
    .replace('https://ftp.de.debian.org/debian   ./', `${D}/HTTPS///ftp.de.debian.org/debian   ./`)
    .replace(' ]http://ftp.de.debian.org', ` ]${D}/ftp.de.debian.org`)
    .replace('"] http://ftp.de.debian.org', `"] ${D}/ftp.de.debian.org`)
    .replace('\x0bhttp://ftp.de.debian.org', `\x0b${D}/ftp.de.debian.org`)
    .replace('http://ftp.de.debian.org/last', `${D}/ftp.de.debian.org/last`);
  t.equal(changed, expected);
  t.same(
    left.map(({ line }) => line),
    [8, 13],
  );
  t.same(pairs.length, 3);
});

t.test('deb822 sources: several addresses, comments within, entries that are off, CRLF', async (t) => {
  const text = [
    '# a comment',
    'types: deb deb-src',
    'uris:http://ftp.de.debian.org/debian\thttps://ftp.de.debian.org/debian',
    '# http://ftp.de.debian.org/comment',
    ' http://ftp.de.debian.org/more  http://example.org/debian',
    'Suites: sid',
    'Signed-By:',
    ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
    ' .',
    ' http://ftp.de.debian.org/no-uri',
    '',
    'Enabled: NO',
    'URIs: http://ftp.de.debian.org/off',
    '',
    'Types: deb',
    '#URIs: http://ftp.de.debian.org/off',
    'URIs : cdrom:[x]/ http://ftp.de.debian.org/debian',
    'Suites: sid',
    'X-Unknown: http://ftp.de.debian.org/debian',
    '',
    '',
  ];
  const expected = text.map((line, index) =>
    [2, 4, 16].includes(index)
      ? line.replaceAll(/(https?):\/\/ftp/g, (_, scheme: string) => `${D}/${scheme === 'https' ? 'HTTPS///' : ''}ftp`)
      : line,
  );
  for (const end of ['\n', '\r\n']) {
    const { text: changed, left } = rewrite('x.sources', text.join(end));
    t.equal(changed, expected.join(end));
    t.same(
      left.map(({ line }) => line),
      [5, 13, 17],
    );
  }
});

t.test('files that APT would not understand are left alone', async (t) => {
  for (const text of [
    'URIs: http://ftp.de.debian.org/debian\nno field\n',
    ' URIs: http://ftp.de.debian.org/debian\n',
    ': http://ftp.de.debian.org/debian\n',
    'URIs: http://ftp.de.debian.org/debian\0\n',
  ])
    t.equal(rewrite('x.sources', text).text, text);
  t.equal(rewrite('sources.list', 'deb http://ftp.de.debian.org/debian\0 sid main').pairs.length, 0);
});

/** Lines that are, or are nearly, lines of sources. */
const piece = fc.oneof(
  fc.constantFrom(
    ...['deb', 'deb-src', ' ', '\t', '\r', '\n', '\n\n', '#', '[', ']', '"', '[arch=amd64]', 'sid main', './'],
    ...[
      'URIs:',
      'Types: deb\n',
      'Suites: sid\n',
      'Enabled: no\n',
      '\n ',
      '\n#',
      'http://',
      'https://ftp.de.debian.org/x',
    ],
    ...[
      'http://ftp.de.debian.org/debian',
      'http://example.org/',
      'cdrom:[a b]/',
      'http://localhost:9988/a.debian.org/',
    ],
    ...[`${D}/ftp.de.debian.org/debian`, 'http://[::1]:80/x'],
  ),
  fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text).toString('latin1')),
);
const anyFile = fc.tuple(fc.constantFrom('sources.list', 'x.sources'), fc.array(piece, { maxLength: 40 }));

t.test('whatever is in a file: all bytes but those of changed addresses survive, in order', async (t) => {
  fc.assert(
    fc.property(anyFile, ([name, pieces]) => {
      const text = pieces.join('');
      const { text: changed, pairs } = rewrite(name, text);
      // every place where the two differ is an address that is in the list of pairs
      let at = 0;
      for (let from = 0; from < text.length || at < changed.length;) {
        const pair = pairs.find(([was, is]) => text.startsWith(was, from) && changed.startsWith(is, at));
        if (pair) {
          from += pair[0].length;
          at += pair[1].length;
        } else if (text[from++] !== changed[at++]) return false;
      }
      return true;
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

t.test('whatever is in a file: a second time changes nothing, and turning back gives what was there', async (t) => {
  fc.assert(
    fc.property(anyFile, ([name, pieces]) => {
      const text = pieces.join('');
      fc.pre(!text.includes('debtorrent:') && !text.includes('localhost:9988'));
      const once = rewrite(name, text);
      if (rewrite(name, once.text).text !== once.text) return false;
      return turnBackSources(Buffer.from(once.text, 'latin1'), once.pairs, true).equals(Buffer.from(text, 'latin1'));
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

const option = fc.constantFrom('', '[arch=amd64] ', '[ lang=en  arch=amd64 ] ', '[arch=amd64 lang="en,de"] ');
const space = fc.constantFrom(' ', '  ', '\t', ' \t ');
/** Of http and https with the same name and path APT reads one: its lists have no scheme in their names. */
const uri = fc
  .tuple(
    fc.constantFrom(
      ...[
        'http://ftp.de.debian.org',
        'https://archive.ubuntu.com:8080',
        'http://example.org',
        'http://user@ftp.debian.org',
      ],
    ),
    fc.constantFrom('', '/', '/debian', '/a+b~c/', '/$(ARCH)/x', '/%7ex'),
  )
  .map(([front, path]) => front + path);
const comment = fc.constantFrom('', '', ' # deb http://ftp.de.debian.org/no sid main', '\r');
const oneLine = fc
  .tuple(fc.constantFrom('deb', 'deb-src', '#deb'), option, space, uri, fc.constantFrom('sid main', './'), comment)
  .map(([type, options, blank, address, suite, end]) => `${type}${blank}${options}${address}${blank}${suite}${end}\n`);
/** What APT passes over before a stanza's first field. */
const odd = fc.constantFrom('', '', ' \n', '# c\n\t\n', ' odd\n', ':odd\n');
const enabled = fc.constantFrom(
  '',
  '',
  'Enabled: false\n',
  'Enabled: no\nEnabled: yes\n \n',
  'Enabled: yes\nEnabled: no\n',
);
const stanza = fc
  .tuple(odd, fc.array(uri, { minLength: 1, maxLength: 3 }), fc.constantFrom(' ', '\n ', '\n# c\n\t'), enabled)
  .map(
    ([first, uris, between, use]) =>
      `${first}Types: deb\nURIs:${between}${uris.join(between)}\n${use}Suites: sid\nComponents: main\n`,
  );

t.test(
  'APT reads from the new files what it read from the old ones, at the daemon',
  { skip: skipWithout('apt-get') },
  async (t) => {
    const samples = fc.sample(fc.tuple(fc.array(oneLine), fc.array(stanza)), { seed: 1, numRuns: 150 });
    const machines = [new Machine(t).withMethods(), new Machine(t).withMethods()] as const;
    // APT looks whether there is one, and asks it nothing here
    machines[1].write('usr/lib/apt/methods/debtorrent', "#!/bin/sh\necho '100 Capabilities'\necho\n", 0o755);
    let changes = 0;
    for (const [number, [lines, stanzas]] of samples.entries()) {
      for (const [name, text] of [
        [`${number}.list`, lines.join('')],
        [`${number}.sources`, stanzas.join('\n')],
      ] as const) {
        const { bytes, pairs } = rewriteSources(name, Buffer.from(text), RULES);
        changes += pairs.length;
        machines[0].write(`etc/apt/sources.list.d/${name}`, text);
        machines[1].write(`etc/apt/sources.list.d/${name}`, bytes.toString());
      }
    }
    t.ok(changes > 200, 'there is something to change');
    const [before = [], after = []] = await Promise.all(machines.map((machine) => machine.releases()));
    const expected = before.map((address) => {
      const decision = decide(address, RULES);
      return decision.kind === 'change' ? decision.to : address;
    });
    t.same(after, expected.toSorted());
    t.ok(after.some((address) => address.startsWith(D)) && after.some((address) => address.startsWith('http')));
  },
);

import fc from 'fast-check';
import t from 'tap';
import { canonicalHost, formatAuthority, isIpLiteral, parseAuthority } from '../../../src/core/http/authority.ts';

t.test('hosts have one spelling', async (t) => {
  t.equal(canonicalHost('FTP.US.Debian.ORG'), 'ftp.us.debian.org');
  t.equal(canonicalHost('ftp.de.debian.org.'), 'ftp.de.debian.org');
  t.equal(canonicalHost('127.0.0.1'), '127.0.0.1');
  t.equal(canonicalHost('[0:0:0:0:0:0:0:1]'), '::1');
  t.equal(canonicalHost('[FE80::0001]'), 'fe80::1');
  t.equal(canonicalHost('xn--bcher-kva.example.org'), 'xn--bcher-kva.example.org');
});

t.test('odd spellings of addresses are refused', async (t) => {
  const odd = [
    '0x7f.1',
    '2130706433',
    '127.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '256.1.1.1',
    '1.2.3',
    '0x7f000001',
    '1.2.3.0x4',
  ];
  for (const text of odd.filter((text) => text !== '127.0.0.1.')) t.equal(canonicalHost(text), undefined, text);
  t.equal(canonicalHost('127.0.0.1.'), '127.0.0.1', 'a final dot is dropped, so that rules see the address');
});

t.test('what is no host is refused', async (t) => {
  for (const text of [
    '',
    '.',
    '..',
    'a..b',
    '-a.org',
    'a-.org',
    'bücher.example.org',
    'a b',
    'a/b',
    'user@a',
    '::1',
    '[::1',
    '[]',
  ]) {
    t.equal(canonicalHost(text), undefined, text);
  }
  t.equal(canonicalHost('[fe80::1%eth0]'), undefined, 'a zone');
  t.equal(canonicalHost(`${'a'.repeat(64)}.org`), undefined, 'a label of 64 characters');
  t.equal(canonicalHost(`${'a.'.repeat(126)}ab`), undefined, 'a name of 254 characters');
  t.ok(canonicalHost(`${'a.'.repeat(126)}a`), 'a name of 253 characters');
});

t.test('ports are decimal, up to 65535', async (t) => {
  t.same(parseAuthority('a.org:65535'), { host: 'a.org', port: 65535 });
  t.same(parseAuthority('[::1]:0'), { host: '::1', port: 0 });
  t.same(parseAuthority('a.org'), { host: 'a.org', port: undefined });
  for (const text of [
    'a.org:65536',
    'a.org:',
    'a.org:+1',
    'a.org:0x50',
    'a.org:80:80',
    '::1:80',
    'a.org:000080',
    ':80',
  ]) {
    t.equal(parseAuthority(text), undefined, text);
  }
});

t.test('the canonical spelling is a fixed point', async () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((ip) => `[${ip}]`),
    fc.string(),
  );
  fc.assert(
    fc.property(host, fc.nat(65535), (text, port) => {
      const canonical = canonicalHost(text);
      if (canonical === undefined) return;
      const again = parseAuthority(formatAuthority(canonical, port));
      if (again?.host !== canonical || again.port !== port) throw new Error(JSON.stringify(again));
    }),
  );
});

t.test('IP literals are told from names', async (t) => {
  t.ok(isIpLiteral('10.0.0.1'));
  t.ok(isIpLiteral('::1'));
  t.notOk(isIpLiteral('ten.example.org'));
});

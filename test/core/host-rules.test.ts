import fc from 'fast-check';
import t from 'tap';
import { compileHostRules } from '../../src/core/host-rules.ts';

const NO = { allowed: false, named: false };
const YES = { allowed: true, named: false };
const NAMED = { allowed: true, named: true };

t.test("without patterns the hosts of Debian's and Ubuntu's archives are allowed", async (t) => {
  const rules = compileHostRules([]);
  for (const host of [
    'ftp.de.debian.org',
    'security.debian.org',
    'ftp.us.debian.org',
    'archive.ubuntu.com',
    'de.archive.ubuntu.com',
  ]) {
    t.same(rules.decide(host, 80), YES, host);
  }
  for (const host of [
    'debian.org.evil.example',
    'evildebian.org',
    'example.org',
    '127.0.0.1',
    '10.0.0.1',
    '::1',
    'localhost',
  ]) {
    t.same(rules.decide(host, 80), NO, host);
  }
});

t.test('a pattern without a port is for every port, one with a port for that port alone', async (t) => {
  const rules = compileHostRules(['a.example.org', 'b.example.org:8080', '*.c.example.org:81']);
  t.same(rules.decide('a.example.org', 12345), NAMED);
  t.same(rules.decide('b.example.org', 8080), NAMED);
  t.same(rules.decide('b.example.org', 80), NO);
  t.same(rules.decide('x.c.example.org', 81), YES);
  t.same(rules.decide('x.c.example.org', 80), NO);
});

t.test('wildcards never name a host', async (t) => {
  t.same(compileHostRules(['*']).decide('127.0.0.1', 80), YES);
  t.same(compileHostRules(['*']).decide('intranet', 80), YES);
  t.same(compileHostRules(['local*']).decide('localhost', 80), YES);
  t.same(compileHostRules(['*', 'localhost']).decide('localhost', 80), NAMED);
});

t.test('addresses are named one by one or by a range of IPv4', async (t) => {
  const rules = compileHostRules(['127.0.0.1:3142', '[::1]', '192.168.1.*', '10.*', '172.16.*.*:80']);
  t.same(rules.decide('127.0.0.1', 3142), NAMED);
  t.same(rules.decide('127.0.0.1', 80), NO);
  t.same(rules.decide('::1', 80), NAMED);
  t.same(rules.decide('192.168.1.77', 80), NAMED);
  t.same(rules.decide('192.168.10.77', 80), NO);
  t.same(rules.decide('10.1.2.3', 80), NAMED);
  t.same(rules.decide('172.16.3.4', 80), NAMED);
  t.same(rules.decide('192.168.1.evil.example', 80), NO, 'a name that only looks like the range');
});

t.test('a host that is not canonical is refused', async (t) => {
  const rules = compileHostRules(['*']);
  for (const host of [
    '0x7f.1',
    '2130706433',
    'DEB.debian.org',
    'ftp.de.debian.org.',
    '[::1]',
    '',
    '127.1',
    '0:0:0:0:0:0:0:1',
  ]) {
    t.same(rules.decide(host, 80), NO, host);
  }
});

t.test('tunnels go to port 443, or to a port that the pattern gives', async (t) => {
  const rules = compileHostRules(['*.debian.org', 'x.example.org:8443']);
  t.same(rules.decideTunnel('ftp.de.debian.org', 443), YES);
  t.same(rules.decideTunnel('ftp.de.debian.org', 25), NO);
  t.same(rules.decideTunnel('x.example.org', 8443), NAMED);
  t.same(rules.decideTunnel('x.example.org', 443), NO);
});

t.test('patterns are case-insensitive and may have several wildcards', async (t) => {
  const rules = compileHostRules(['FTP.*.Debian.*', 'mirror*.example.*']);
  t.same(rules.decide('ftp.us.debian.org', 80), YES);
  t.same(rules.decide('ftp.debian.org', 80), NO);
  t.same(rules.decide('mirror3.eu.example.net', 80), YES);
});

t.test('patterns that can match no host are errors of the configuration', async (t) => {
  for (const pattern of [
    '',
    ':80',
    'a:0',
    'a:99999',
    'a/b',
    'http://a',
    '*.1',
    '::1',
    'a b',
    '[::*]',
    '-*.org',
    '0x7f.1',
    '1.2.3',
    'bücher.*',
  ]) {
    t.throws(() => compileHostRules([pattern]), { code: 'CONFIG_INVALID' }, pattern);
  }
});

t.test('a glob matches what it was made from', async () => {
  const label = fc.stringMatching(/^[a-z]{1,8}$/);
  const labels = fc.array(fc.record({ label, star: fc.boolean() }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(labels, fc.nat(65535), (parts, port) => {
      const pattern = parts.map(({ label, star }) => (star ? '*' : label)).join('.');
      return compileHostRules([pattern]).decide(parts.map(({ label }) => label).join('.'), port).allowed;
    }),
  );
});

t.test('a glob agrees with the regular expression that it stands for', async () => {
  const text = (alphabet: string) => fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(text('ab*'), text('ab'), (pattern, host) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(host);
      return compileHostRules([pattern]).decide(host, 80).allowed === expected;
    }),
  );
});

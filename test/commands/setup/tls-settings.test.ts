/** Sources that APT fetches with certificates or keys of their own. */
import t from 'tap';

import { skipWithout } from '../../support/process.ts';
import { Machine } from './machine.ts';

t.setTimeout(120_000);

const skip = skipWithout('apt-config');
const CONF = 'etc/apt/apt.conf.d/50tls';
const SOURCES = ['ftp.de.debian.org', 'ftp.us.debian.org', 'ftp.uk.debian.org'];

t.test('what only APT has a certificate or key for is left to it', { skip }, async (t) => {
  const lines = [
    'http://ftp.de.debian.org/debian sid main',
    ...SOURCES.map((host) => `https://${host}/debian sid main`),
    'https://Security.debian.org/debian-security sid main',
  ];
  const files = { 'etc/apt/sources.list': lines.map((line) => `deb ${line}\n`).join('') };
  const machine = new Machine(t, files);
  const left = async (conf: string) => {
    machine.write(CONF, conf);
    const { code, stdout, output } = await machine.setup('--print');
    t.equal(code, 0, output);
    return [...stdout.matchAll(/line (\d): \S+: (.*)$/gm)].map(([, line, why]) => `${line} ${why}`);
  };
  const by = (line: number, option: string) => `${line} ${option} is set, by which only APT itself goes`;
  t.same(await left(''), []);
  t.same(
    await left(`Acquire::https {
      ftp.de.debian.org { CaInfo "/etc/private-ca.pem"; };
      ftp.us.debian.org { SslCert "/etc/me.pem"; SslKey "/etc/me.key"; };
      ftp.uk.debian.org { Verify-Peer "true"; CaInfo "/etc/ssl/certs/ca-certificates.crt"; };
      SECURITY.debian.org::Verify-Peer "false";
    };`),
    [
      by(2, 'Acquire::https::ftp.de.debian.org::CaInfo'),
      by(3, 'Acquire::https::ftp.us.debian.org::SslCert'),
      by(5, 'Acquire::https::SECURITY.debian.org::Verify-Peer'),
    ],
    'of one host',
  );
  t.same(
    await left(
      'Acquire::https { CaInfo "/etc/ca.pem"; ftp.uk.debian.org::CaInfo "/etc/ssl/certs/ca-certificates.crt"; };',
    ),
    [2, 3, 5].map((line) => by(line, 'Acquire::https::CaInfo')),
    'of all, but for one',
  );
  t.same(await left('Acquire::https { Verify-Peer "yes"; CaInfo "/etc/ssl/certs/ca-certificates.crt"; };'), []);
  t.same(await left('Acquire::https::Proxy "http://proxy.example.org:3128/";'), []);
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { aptTrustedKeyrings, publicKeyrings } from '../../../src/actors/packages-parser/trusted-keyrings.ts';

t.test('what APT trusts', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'dt-root-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text = ''): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  t.strictSame(await aptTrustedKeyrings(root), [join(root, 'etc/apt/trusted.gpg')], 'a system without APT');
  write('etc/apt/trusted.gpg.d/a.asc');
  write('etc/apt/trusted.gpg.d/readme.txt');
  write('usr/share/keyrings/debian-archive-keyring.gpg');
  write('usr/share/keyrings/debian-archive-removed-keys.gpg');
  write(
    'etc/apt/sources.list',
    'deb [arch=amd64 signed-by=/opt/one.gpg,/opt/two.asc] http://ftp.us.debian.org/x y z\n',
  );
  write('etc/apt/sources.list.d/x.sources', 'Types: deb\nSigned-By: /opt/three.gpg\n\nSigned-By:\n -----BEGIN\n');
  const found = (await aptTrustedKeyrings(root)).map((path) => path.slice(root.length + 1));
  t.strictSame(found, [
    'etc/apt/trusted.gpg',
    'etc/apt/trusted.gpg.d/a.asc',
    'usr/share/keyrings/debian-archive-keyring.gpg',
    'opt/one.gpg',
    'opt/two.asc',
    'opt/three.gpg',
  ]);
  t.ok(publicKeyrings('/').includes('/usr/share/keyrings/debian-archive-keyring.gpg'));
});

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keysInSources, MAX_SOURCES_BYTES } from '../../../src/actors/packages-parser/inline-keys.ts';
import { KeyringSource } from '../../../src/actors/packages-parser/keyrings.ts';
import { LostKeyrings } from '../../../src/actors/packages-parser/lost-keyrings.ts';
import { aptTrustedKeyrings } from '../../../src/actors/packages-parser/trusted-keyrings.ts';
import { makeKeys } from '../../support/keys.ts';
import { skipWithout } from '../../support/process.ts';

t.test('keys in Signed-By', { skip: skipWithout('gpg', 'gpgconf', 'gpgv') }, async (t) => {
  const keys = makeKeys();
  t.teardown(() => keys.close());
  /** As gpg writes keys, and as they are indented in a source. */
  const block = (keyring: string): string =>
    execFileSync('gpg', ['--no-default-keyring', '--keyring', keyring, '--armor', '--export'], { encoding: 'utf8' });
  const indented = (text: string): string =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => (line === '' ? ' .\n' : ` ${line}\n`))
      .join('');
  const source = (value: string): string =>
    `Types: deb\nURIs: http://ftp.us.debian.org/debian\nSuites: trixie\nComponents: main\nSigned-By:${value}`;
  const [one, other] = [readFileSync(keys.keyring), readFileSync(keys.otherKeyring)];
  const inline = `\n${indented(block(keys.keyring))}`;

  t.test('gpgv goes by the keys of a source', async (t) => {
    const root = t.testdir({ etc: { apt: { 'sources.list.d': {} } }, work: {} });
    mkdirSync(join(root, 'catalogue'));
    const nothing = (): void => undefined;
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    const ring = new KeyringSource({
      dir: join(root, 'catalogue'),
      name: 'trusted',
      list: () => aptTrustedKeyrings(root),
      lost: new LostKeyrings(log),
      log,
    });
    const [inRelease, file] = [join(root, 'work/InRelease'), join(root, 'etc/apt/sources.list.d/x.sources')];
    writeFileSync(inRelease, keys.clearsign('Origin: Debian\n'));
    const verifies = async (): Promise<boolean> => {
      const [path] = (await ring.current()).files;
      try {
        execFileSync('gpgv', ['--quiet', '--keyring', path, inRelease], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    };
    t.equal(await verifies(), false, 'nothing is trusted yet');
    const before = (await ring.current()).stamp;
    writeFileSync(file, source(inline));
    t.equal(await verifies(), true);
    t.not((await ring.current()).stamp, before);
    writeFileSync(file, source(`\n${indented(block(keys.otherKeyring))}`));
    t.equal(await verifies(), false, 'the key has been replaced');
  });

  t.test('all keys of a file are read, whatever stands between them', async (t) => {
    t.strictSame(keysInSources(source(inline)), one);
    t.strictSame(keysInSources(source(inline).replaceAll('\n', '\r\n')), one);
    t.strictSame(keysInSources(source(inline).replaceAll('\n ', '\n\t')), one);
    t.strictSame(keysInSources(source(inline).replace('Signed-By', 'signed-by')), one);
    const commented = source(inline).replace('\n .\n', '\n# a comment\n .\n');
    t.strictSame(keysInSources(commented), one);
    const two = `${source(inline)}Enabled: yes\n\n${source(` ${indented(block(keys.otherKeyring)).trimStart()}`)}`;
    t.strictSame(keysInSources(two), Buffer.concat([one, other]), 'of every stanza, also from the first line on');
  });

  t.test('what is no key, or not in its place, is left out', async (t) => {
    const none = Buffer.alloc(0);
    t.strictSame(keysInSources(source(' /usr/share/keyrings/x.gpg\n')), none);
    t.strictSame(keysInSources(source(inline).replace('Signed-By', 'X-Note')), none, 'another field');
    t.strictSame(keysInSources(source(inline).replaceAll(/^/gm, '#')), none, 'a comment');
    t.strictSame(keysInSources(block(keys.keyring)), none, 'no field at all');
    t.strictSame(keysInSources(source(inline.slice(0, inline.length / 2))), none, 'cut short');
    t.strictSame(
      keysInSources(`${source('\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n junk\n')}\n${source(inline)}`),
      one,
    );
    t.strictSame(keysInSources(source(inline) + '#'.repeat(MAX_SOURCES_BYTES)), none, 'too large');
  });
});

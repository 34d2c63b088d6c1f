import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { KeyringSource } from '../../../src/actors/packages-parser/keyrings.ts';
import { LostKeyrings } from '../../../src/actors/packages-parser/lost-keyrings.ts';
import { isKeybox, readKeys, sortKeys } from '../../../src/actors/packages-parser/openpgp-keys.ts';
import { inVersion, makeKeys } from '../../support/keys.ts';
import { skipWithout } from '../../support/process.ts';

t.test('keyrings', { skip: skipWithout('gpg', 'gpgconf') }, async (t) => {
  const keys = makeKeys();
  const dir = mkdtempSync(join(tmpdir(), 'dt-keyrings-'));
  t.teardown(() => {
    keys.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const binary = readFileSync(keys.keyring);
  const other = readFileSync(keys.otherKeyring);
  const armour = (data: Buffer): string => execFileSync('gpg', ['--enarmor'], { input: data }).toString();
  // gpg calls what --enarmor makes "ARMORED FILE"
  const armoured = armour(binary).replaceAll('ARMORED FILE', 'KEY BLOCK').replaceAll('PGP KEY', 'PGP PUBLIC KEY');

  t.test('binary keys are taken as they are, armoured ones without their armour', async (t) => {
    t.strictSame(readKeys(binary), binary);
    t.strictSame(readKeys(Buffer.from(armoured)), binary);
    t.strictSame(readKeys(Buffer.from(`A comment\n${armoured}\n${armoured}`)), Buffer.concat([binary, binary]));
    t.strictSame(readKeys(Buffer.from(armoured.replaceAll('\n', '\r\n'))), binary);
  });

  t.test('what is no keyring is refused', async (t) => {
    for (const junk of ['', 'junk', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA', '\x99', '\x99\xff\xff']) {
      t.equal(readKeys(Buffer.from(junk, 'latin1')), undefined, JSON.stringify(junk));
    }
    t.equal(readKeys(binary.subarray(0, binary.length - 1)), undefined, 'cut short');
    t.equal(readKeys(Buffer.concat([binary, Buffer.from('x')])), undefined, 'with something behind');
    t.notOk(isKeybox(binary));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => void readKeys(Buffer.from(bytes))),
      { numRuns: 500 },
    );
  });

  t.test('keys that gpgv does not know are told apart, with all that belongs to them', async (t) => {
    const later = inVersion(other, 6);
    t.strictSame(sortKeys(Buffer.concat([binary, other])), {
      common: Buffer.concat([binary, other]),
      later: Buffer.alloc(0),
    });
    for (const parts of [
      [later, binary],
      [binary, later],
      [binary, inVersion(other, 5)],
    ]) {
      const strange = parts.find((part) => part !== binary);
      t.strictSame(sortKeys(Buffer.concat(parts)), { common: binary, later: strange });
    }
    const subkey = Buffer.from([0xb8, 2, 6, 0]);
    const itsSignature = Buffer.from([0x88, 1, 4]);
    const mixed = Buffer.concat([binary, subkey, itsSignature]);
    t.strictSame(sortKeys(Buffer.concat([mixed, other])), {
      common: Buffer.concat([binary, other]),
      later: mixed,
    });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => void sortKeys(Buffer.from(bytes))),
      { numRuns: 500 },
    );
  });

  t.test('the directory that was cleared by hand is made again', async (t) => {
    const key = join(t.testdir(), 'a.gpg');
    writeFileSync(key, binary);
    const cleared = join(t.testdirName, 'catalogue');
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const lost = new LostKeyrings(log);
    const source = new KeyringSource({ dir: cleared, name: 'all', list: async () => [key], lost, log });
    for (let time = 0; time < 2; time++) {
      t.strictSame(readFileSync((await source.current()).files[0]), binary);
      rmSync(cleared, { recursive: true });
    }
  });

  t.test('all that can be read are put together, the others are left out with a warning', async (t) => {
    const paths = ['a.asc', 'b.gpg', 'broken.gpg', 'empty.gpg', 'missing.gpg'].map((name) => join(dir, name));
    const [asc = '', gpg = '', broken = '', empty = ''] = paths;
    writeFileSync(asc, armoured);
    writeFileSync(gpg, other);
    writeFileSync(broken, 'junk');
    writeFileSync(empty, '');
    const warnings: object[] = [];
    const nothing = (): void => undefined;
    const log = { debug: nothing, info: nothing, error: nothing, warn: (fields: object) => void warnings.push(fields) };
    const lost = new LostKeyrings(log);
    const source = new KeyringSource({ dir, name: 'all', list: async () => paths, lost, log });
    const first = await source.current();
    t.strictSame(readFileSync(first.files[0]), Buffer.concat([binary, other]));
    t.strictSame(warnings, [{ path: broken }]);
    t.equal(await source.current(), first, 'nothing is read again while nothing changes');
    utimesSync(gpg, 1, statSync(gpg).mtimeMs / 1000 + 5);
    t.equal((await source.current()).stamp, first.stamp, 'a keyring that was only written anew does not');
    writeFileSync(gpg, binary);
    t.not((await source.current()).stamp, first.stamp, 'a changed keyring changes the stamp');

    rmSync(first.files[0]);
    t.strictSame(readFileSync((await source.current()).files[0]), binary, 'it is made again, with each key once');
    writeFileSync(gpg, other);
    const changed = await Promise.all(Array.from({ length: 8 }, () => source.current()));
    t.equal(new Set(changed).size, 1, 'those who ask at the same time get what one of them has put together');
    t.strictSame(readFileSync(first.files[0]), Buffer.concat([binary, other]));
    t.strictSame(
      new Set(warnings.map((fields) => JSON.stringify(fields))),
      new Set([JSON.stringify({ path: broken })]),
    );
  });
});

/** One key in several keyrings, as it was and as it has become: what gpgv makes of all of them together. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { mergeKeys } from '../../../src/actors/packages-parser/merge-keys.ts';
import { SignatureVerifier } from '../../../src/actors/packages-parser/signature.ts';
import { skipWithout } from '../../support/process.ts';

const TEXT = 'Origin: Test\nDate: Sat, 17 May 2025 08:46:54 UTC\n';
/** Of all that was made with it the time has passed. */
const LONG_AGO = ['--faked-system-time', '20200101T000000'];

t.test('copies of a key', { skip: skipWithout('gpg', 'gpgconf', 'gpgv') }, async (t) => {
  // the agent's socket is in the home, and a socket's path has at most 108 bytes
  const home = mkdtempSync(join(tmpdir(), 'dt-gpg-'));
  t.teardown(() => {
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' });
    rmSync(home, { recursive: true, force: true });
  });
  const gpg = (args: readonly string[], input?: string): Buffer =>
    execFileSync('gpg', ['--homedir', home, '--batch', '--no-tty', '--quiet', '--passphrase', '', ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
      ...(input === undefined ? {} : { input }),
    });
  const verifier = new SignatureVerifier({ dir: home, sqv: '/nonexistent/sqv' });
  const payload = Buffer.from(TEXT);
  const make = (name: string, expires: string): string => {
    gpg([...LONG_AGO, '--quick-generate-key', name, 'ed25519', 'sign', expires]);
    return idOf(name);
  };
  const idOf = (name: string): string =>
    /^fpr:+([0-9A-F]+)/m.exec(gpg(['--list-keys', '--with-colons', name]).toString())?.[1] ?? '';
  const copyOf = (id: string): Buffer => gpg(['--export', id]);
  const sign = (id: string): Buffer => gpg(['--local-user', id, '--detach-sign'], TEXT);
  /** What gpgv says with these copies, in this order. */
  const verdict = async (signature: Buffer, ...copies: readonly Buffer[]): Promise<string> => {
    const keyring = join(home, 'merged.gpg');
    writeFileSync(keyring, mergeKeys(copies));
    return verifier.verify({ payload, signature }, [keyring]).then(
      () => 'good',
      (error: { code: string }) => error.code,
    );
  };

  const other = make('other', 'never');
  const others = copyOf(other);
  const key = make('archive', '30d');
  const expired = copyOf(key);
  gpg(['--quick-set-expire', key, 'never']);
  const extended = copyOf(key);

  t.test('an expired one and one that has been extended: it is good', async (t) => {
    const signature = sign(key);
    t.equal(await verdict(signature, expired), 'SIGNATURE_UNKNOWN_KEY');
    t.equal(await verdict(signature, expired, extended), 'good');
    t.equal(await verdict(signature, others, extended, expired), 'good');
    t.equal(await verdict(sign(other), expired, others, extended), 'good', 'others are as they were');
  });

  t.test('one of before there was a subkey, or before that was extended', async (t) => {
    gpg([...LONG_AGO, '--quick-add-key', key, 'ed25519', 'sign', '30d']);
    const short = copyOf(key);
    const ids = gpg(['--list-keys', '--with-colons', key])
      .toString()
      .matchAll(/^fpr:+([0-9A-F]+)/gm);
    const subkey = [...ids].at(-1)?.[1] ?? '';
    gpg(['--quick-set-expire', key, 'never', subkey]);
    const long = copyOf(key);
    const signature = sign(`${subkey}!`);
    t.equal(await verdict(signature, extended, short), 'SIGNATURE_UNKNOWN_KEY');
    t.equal(await verdict(signature, extended, short, long), 'good');
    t.equal(await verdict(signature, long, short, extended), 'good');
    t.equal(await verdict(sign(`${key}!`), short, long, expired), 'good');
  });

  t.test('one that is revoked counts, wherever it is', async (t) => {
    const signature = sign(other);
    const revocation = readFileSync(join(home, 'openpgp-revocs.d', `${other}.rev`), 'utf8');
    gpg(['--import'], revocation.replace(':-----BEGIN', '-----BEGIN'));
    const revoked = copyOf(other);
    t.equal(await verdict(signature, others), 'good');
    t.equal(await verdict(signature, others, revoked), 'SIGNATURE_UNKNOWN_KEY');
    t.equal(await verdict(signature, revoked, others), 'SIGNATURE_UNKNOWN_KEY');
  });

  t.test('keys of which there is one copy stay as they are, and each is there once', (t) => {
    t.strictSame(mergeKeys([extended, others]), Buffer.concat([extended, others]));
    t.strictSame(mergeKeys([Buffer.concat([extended, others]), others, extended]), Buffer.concat([extended, others]));
    t.strictSame(mergeKeys([]), Buffer.alloc(0));
    const bytes = fc.array(fc.uint8Array().map((each) => Buffer.from(each)));
    fc.assert(
      fc.property(bytes, (keyrings) => void mergeKeys(keyrings)),
      { numRuns: 500 },
    );
    t.end();
  });
});

import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { SignatureVerifier } from '../../../src/actors/packages-parser/signature.ts';
import { makeKeys } from '../../support/keys.ts';
import { skipWithout } from '../../support/process.ts';

const TEXT = 'Origin: Test\n- a line that is escaped\nDate: Sat, 17 May 2025 08:46:54 UTC\n';
const sqvSkip = skipWithout('gpg', 'sqv');

for (const program of ['gpgv', 'sqv'] as const) {
  const skip = program === 'gpgv' ? skipWithout('gpg', 'gpgv') : sqvSkip;
  t.test(`signatures, checked by ${program}`, { skip }, async (t) => {
    const keys = makeKeys();
    const dir = mkdtempSync(join(tmpdir(), 'dt-signature-'));
    t.teardown(() => {
      keys.close();
      rmSync(dir, { recursive: true, force: true });
    });
    const none = '/nonexistent/program';
    const verifier = new SignatureVerifier(program === 'gpgv' ? { dir, sqv: none } : { dir, gpgv: none });
    const payload = Buffer.from(TEXT);
    const signature = Buffer.from(keys.detach(TEXT));

    t.equal(await verifier.verify({ payload, signature }, [keys.keyring]), TEXT, 'a detached signature');
    await t.rejects(verifier.verify({ payload: Buffer.from(`${TEXT} `), signature }, [keys.keyring]), {
      code: 'SIGNATURE_BAD',
    });
    await t.rejects(verifier.verify({ payload, signature }, [keys.otherKeyring]), { code: 'SIGNATURE_UNKNOWN_KEY' });

    const inRelease = Buffer.from(keys.clearsign(TEXT));
    const clearsigned = verifier.verify({ payload: inRelease }, [keys.keyring]);
    if (program === 'gpgv' || isNewSqv()) {
      t.equal(await clearsigned, TEXT, 'the text that is signed, without its escapes');
      const changed = Buffer.from(inRelease.toString().replace('Test', 'Tost'));
      await t.rejects(verifier.verify({ payload: changed }, [keys.keyring]), { code: 'SIGNATURE_BAD' });
      await t.rejects(verifier.verify({ payload: inRelease }, [keys.otherKeyring]), { code: 'SIGNATURE_UNKNOWN_KEY' });
    } else {
      await t.rejects(clearsigned, { code: 'VERIFIER_MISSING' }, 'a sqv before 1.3 cannot check that');
    }
    t.strictSame(readdirSync(dir), [], 'no temporary file is left');
  });
}

t.test('the other verifier is asked where one may not be run', async (t) => {
  const dir = t.testdir({ gpgv: '', sqv: '#!/bin/sh\n' });
  chmodSync(join(dir, 'sqv'), 0o755);
  const signed = { payload: Buffer.from(TEXT), signature: Buffer.from('') };
  const path = process.env['PATH'];
  t.teardown(() => void (process.env['PATH'] = path));
  process.env['PATH'] = dir;
  t.equal(await new SignatureVerifier({ dir }).verify(signed, []), TEXT);
});

t.test('a verifier that hangs is given up', { skip: skipWithout('sleep') }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'dt-signature-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const ending = new AbortController();
  const verifier = new SignatureVerifier({ dir, gpgv: 'yes', sqv: '/nonexistent/sqv', signal: ending.signal });
  const verdict = verifier.verify({ payload: Buffer.from(TEXT), signature: Buffer.from('x') }, []);
  setTimeout(() => ending.abort(), 50);
  await t.rejects(verdict, { code: 'SIGNATURE_BAD' });
});

function isNewSqv(): boolean {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(execFileSync('sqv', ['--version']).toString()) ?? [];
  return Number(major) > 1 || Number(minor) >= 3;
}

/**
 * Throwaway OpenPGP keys: Ed25519, made by gpg in a home of its own. They are the one thing in a generated archive
 * that its seed does not determine.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Keys {
  /** Keyring of the archive's key, as gpgv and signed-by want it. */
  readonly keyring: string;
  /** Keyring of the key that nobody trusts. */
  readonly otherKeyring: string;
  clearsign(text: string, who?: Signer): string;
  /** ASCII-armoured detached signature. */
  detach(text: string, who?: Signer): string;
  close(): void;
}

/** `archive` is in `keyring`; `other` is a good key that is not. */
export type Signer = 'archive' | 'other';

const MAIL: Record<Signer, string> = { archive: 'archive@example.org', other: 'other@example.org' };

export function makeKeys(): Keys {
  // The agent's socket is in the home, and a socket's path has at most 108 bytes.
  const home = mkdtempSync(join(tmpdir(), 'dt-gpg-'));
  const gpg = (args: readonly string[], input?: string): Buffer =>
    execFileSync('gpg', ['--homedir', home, '--batch', '--no-tty', '--quiet', '--passphrase', '', ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
      maxBuffer: 256 * 1024 * 1024,
      ...(input === undefined ? {} : { input }),
    });
  const keyrings = {} as Record<Signer, string>;
  for (const who of ['archive', 'other'] as const) {
    gpg(['--quick-generate-key', `DebTorrent test ${who} <${MAIL[who]}>`, 'ed25519', 'sign', 'never']);
    keyrings[who] = join(home, `${who}.gpg`);
    writeFileSync(keyrings[who], gpg(['--export', MAIL[who]]));
  }
  return {
    keyring: keyrings.archive,
    otherKeyring: keyrings.other,
    clearsign: (text, who = 'archive') => gpg(['--local-user', MAIL[who], '--clearsign'], text).toString(),
    detach: (text, who = 'archive') => gpg(['--local-user', MAIL[who], '--armor', '--detach-sign'], text).toString(),
    close() {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A keyring with one key, as if that were of another version: its first packet's body begins with that number. */
export function inVersion(keyring: Buffer, version: number): Buffer {
  const changed = Buffer.from(keyring);
  changed[2] = version;
  return changed;
}

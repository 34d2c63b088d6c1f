/**
 * Whether a Release is signed by a trusted key. The distribution's own verifier decides: gpgv, or sqv where that is
 * what the machine has. Nothing of a file is used before, and only what the verifier says was signed.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DebtorrentError } from '../../core/errors.ts';
import { MAX_RELEASE_BYTES } from '../../core/archive/release.ts';
import { judgeGpgv, type Verdict } from './gpgv-status.ts';
import { runProgram, type ProgramOptions, type ProgramResult } from './run-program.ts';

/** An InRelease, or a Release and its Release.gpg; the bytes as they were fetched. */
export interface SignedRelease {
  readonly payload: Buffer;
  readonly signature?: Buffer;
}

export interface SignatureDeps {
  /** For temporary files; nobody else writes there. */
  readonly dir: string;
  readonly gpgv?: string;
  readonly sqv?: string;
  readonly signal?: AbortSignal;
}

/** gpgv gave up its search for the key. */
export class UnreadableKeyring extends DebtorrentError {}

const DEADLINE_MS = 10_000;
/** What gpgv says of a keyring on standard error, in every version; its status lines say no more than "no key". */
const KEYRING_FAULT = /^gpgv: keydb_search failed: /m;
const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----';

export class SignatureVerifier {
  readonly #deps: SignatureDeps;
  #serial = 0;

  constructor(deps: SignatureDeps) {
    this.#deps = deps;
  }

  /**
   * The signed text. `later` are keyrings that only sqv reads. Rejects with SIGNATURE_BAD, SIGNATURE_UNKNOWN_KEY (also
   * for keys that have expired or are revoked, and as UnreadableKeyring), RELEASE_MALFORMED or VERIFIER_MISSING.
   */
  async verify(signed: SignedRelease, keyrings: readonly string[], later: readonly string[] = []): Promise<string> {
    const { payload, signature } = signed;
    if (!signature && !isOneMessage(payload)) {
      throw new DebtorrentError('RELEASE_MALFORMED', 'the InRelease file is not one signed message');
    }
    // files of our own: what is verified cannot change between being checked and being read
    const path = join(this.#deps.dir, `verify-${process.pid}-${this.#serial++}`);
    try {
      await writeFile(path, payload);
      if (signature) await writeFile(`${path}.sig`, signature);
      const text =
        (await this.#gpgv(path, signature, keyrings)) ?? (await this.#sqv(path, signature, [...keyrings, ...later]));
      if (text === undefined) {
        throw new DebtorrentError('VERIFIER_MISSING', 'neither gpgv nor a sqv that can check this is on this machine');
      }
      return (signature ? payload : text).toString('utf8');
    } finally {
      for (const suffix of ['', '.sig', '.out']) await rm(path + suffix, { force: true });
    }
  }

  /** Whether gpgv finds its way through the keyring, whatever it finds in it. */
  async canRead(signed: SignedRelease, keyring: string): Promise<boolean> {
    try {
      await this.verify(signed, [keyring]);
      return true;
    } catch (error) {
      return !(error instanceof UnreadableKeyring);
    }
  }

  async #gpgv(path: string, signature: Buffer | undefined, keyrings: readonly string[]): Promise<Buffer | undefined> {
    const files = signature ? [`${path}.sig`, path] : ['--output', '-', path];
    const args = [
      ...['--homedir', this.#deps.dir, '--status-fd', '3', '--ignore-time-conflict'],
      ...keyrings.flatMap((keyring) => ['--keyring', keyring]),
      ...files,
    ];
    const result = await this.#run(this.#deps.gpgv ?? 'gpgv', args);
    if (!result) return undefined;
    const verdict = result.code === -1 ? bad('gpgv took too long or said too much') : judgeGpgv(result.status);
    if (verdict.code === 'SIGNATURE_UNKNOWN_KEY' && KEYRING_FAULT.test(result.stderr)) {
      throw new UnreadableKeyring(verdict.code, `${verdict.message}; gpgv cannot read one of the keyrings`);
    }
    return accept(verdict, result.stdout);
  }

  async #sqv(path: string, signature: Buffer | undefined, keyrings: readonly string[]): Promise<Buffer | undefined> {
    const sqv = this.#deps.sqv ?? 'sqv';
    const keys = keyrings.flatMap((keyring) => ['--keyring', keyring]);
    if (!signature && !(await this.#readsClearsigned(sqv))) return undefined;
    const args = signature ? [`${path}.sig`, path] : ['--output', `${path}.out`, '--cleartext', path];
    const result = await this.#run(sqv, [...keys, ...args]);
    if (!result) return undefined;
    const fault = /missing|no key|unknown key/i.test(result.stderr) ? 'SIGNATURE_UNKNOWN_KEY' : 'SIGNATURE_BAD';
    const lastLine = result.stderr.trim().split('\n').at(-1) ?? '';
    const verdict: Verdict = result.code === 0 ? { code: 'GOOD' } : { code: fault, message: `sqv says: ${lastLine}` };
    return accept(verdict, signature || result.code !== 0 ? Buffer.alloc(0) : await readFile(`${path}.out`));
  }

  /** sqv checks messages with the signature inside since 1.3. */
  async #readsClearsigned(sqv: string): Promise<boolean> {
    const result = await this.#run(sqv, ['--version']);
    const match = /(\d+)\.(\d+)/.exec(result?.stdout.toString() ?? '');
    const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
    return major > 1 || (major === 1 && minor >= 3);
  }

  #run(command: string, args: readonly string[]): Promise<ProgramResult | undefined> {
    const options: ProgramOptions = {
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_RELEASE_BYTES,
      signal: this.#deps.signal,
    };
    return runProgram(command, args, options);
  }
}

function bad(message: string): Verdict {
  return { code: 'SIGNATURE_BAD', message };
}

function accept(verdict: Verdict, text: Buffer): Buffer {
  if (verdict.code === 'GOOD') return text;
  throw new DebtorrentError(verdict.code, verdict.message);
}

/** APT takes an InRelease only if it is one signed message from its first byte on. */
export function isOneMessage(payload: Buffer): boolean {
  const first = payload.subarray(0, BEGIN.length).toString('latin1') === BEGIN;
  return first && payload.indexOf(`\n${BEGIN}`) < 0;
}

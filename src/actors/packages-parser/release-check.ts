/** From the bytes of a Release to what may be believed of it: read, verified, parsed, not expired. */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { DatedClock } from '../../core/clock.ts';
import { DebtorrentError, storeError } from '../../core/errors.ts';
import type { Sha256 } from '../../core/ids.ts';
import { isExpired, isFromFuture, MAX_RELEASE_BYTES, parseRelease, type Release } from '../../core/archive/release.ts';
import type { KeyringSource } from './keyrings.ts';
import { UnreadableKeyring, type SignatureVerifier, type SignedRelease } from './signature.ts';

export interface ReleaseCheckDeps {
  readonly verifier: SignatureVerifier;
  /** Keyrings that are trusted, and those whose archives may be shared. */
  readonly trusted: KeyringSource;
  readonly sharing: KeyringSource;
  readonly checkValidUntil: boolean;
  /** Which private swarm torrents belong to: their ids are of that swarm alone. */
  readonly swarm?: string | undefined;
  readonly clock: Pick<DatedClock, 'date'>;
}

export interface CheckedRelease {
  readonly release: Release;
  /** Verified by one of the public keyrings too. */
  readonly public: boolean;
}

/** With the SHA-256 of its bytes, the signature's among them. */
export type ReadRelease = SignedRelease & { readonly identity: Sha256 };

const MAX_SIGNATURE_BYTES = 1024 * 1024;

export class ReleaseCheck {
  readonly #deps: ReleaseCheckDeps;

  constructor(deps: ReleaseCheckDeps) {
    this.#deps = deps;
  }

  /** Changes when keyrings or the private swarm do: what was verified before has to be verified again. */
  async trust(): Promise<string> {
    const { trusted, sharing, swarm = '' } = this.#deps;
    return `${(await trusted.current()).stamp} ${(await sharing.current()).stamp}${swarm}`;
  }

  /** Rejects with SIGNATURE_BAD, SIGNATURE_UNKNOWN_KEY, VERIFIER_MISSING and each of RELEASE_ but RELEASE_OLDER. */
  async check(signed: SignedRelease): Promise<CheckedRelease> {
    const { trusted, sharing } = this.#deps;
    // both at once: a client is waiting
    const [own, again] = await Promise.allSettled([this.#verify(signed, trusted), this.#verify(signed, sharing)]);
    if (own.status === 'rejected') throw own.reason;
    const release = parseRelease(own.value);
    this.requireCurrent(release);
    const isPublic = again.status === 'fulfilled' && again.value === own.value;
    return { release, public: isPublic };
  }

  async #verify(signed: SignedRelease, source: KeyringSource): Promise<string> {
    const { verifier } = this.#deps;
    const { files, later } = await source.current();
    try {
      return await verifier.verify(signed, files, later);
    } catch (error) {
      if (!(error instanceof UnreadableKeyring)) throw error;
      const reads = (keyring: string): Promise<boolean> => verifier.canRead(signed, keyring);
      const sound = await source.withoutUnreadable(reads);
      return await verifier.verify(signed, sound.files, sound.later);
    }
  }

  requireCurrent(release: { readonly date: number; readonly validUntil?: number }): void {
    const { clock, checkValidUntil } = this.#deps;
    if (this.isFromFuture(release)) {
      const date = new Date(release.date).toISOString();
      throw new DebtorrentError('RELEASE_NOT_YET_VALID', `the Release file is dated ${date}, in the future`);
    }
    if (!checkValidUntil || !isExpired(release, clock.date())) return;
    const until = new Date(release.validUntil ?? 0).toISOString();
    throw new DebtorrentError('RELEASE_EXPIRED', `the Release file was valid until ${until}`);
  }

  isFromFuture(release: { readonly date: number }): boolean {
    return isFromFuture(release, this.#deps.clock.date());
  }
}

/** Reads what was fetched, and its identity. Rejects with RELEASE_MALFORMED or STORE_IO. */
export async function readSigned(payload: string, signature: string | undefined): Promise<ReadRelease> {
  const bytes = await readBounded(payload, MAX_RELEASE_BYTES);
  const detached = signature === undefined ? undefined : await readBounded(signature, MAX_SIGNATURE_BYTES);
  const hash = createHash('sha256').update(bytes);
  if (detached) hash.update(detached);
  return { payload: bytes, ...(detached && { signature: detached }), identity: hash.digest('hex') as Sha256 };
}

async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > maxBytes) throw new DebtorrentError('RELEASE_MALFORMED', `the Release file has ${size} bytes`);
    return await file.readFile();
  } catch (error) {
    throw storeError(error, 'the Release file cannot be read: ');
  } finally {
    await file?.close().catch(() => undefined);
  }
}

/** What clients can ask an archive for, and what they must get: facts that the harness checks every byte against. */

export interface FileFacts {
  /** Below the archive's base, such as `pool/main/l/load/load-00001_1.0_amd64.deb`; not percent-encoded. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface PackageFacts extends FileFacts {
  readonly name: string;
  readonly version: string;
}

export interface LoadArchive {
  /** What a web server serves. */
  readonly root: string;
  /** Path of the archive below the root, such as `debian`. */
  readonly base: string;
  readonly suite: string;
  readonly architecture: string;
  /** Of its key; undefined when APT trusts it without being told. */
  readonly keyring: string | undefined;
  readonly release: FileFacts;
  /** By its hash, which is how APT asks for it first. */
  readonly index: FileFacts;
  /** Where the index is when there is no by-hash. */
  readonly indexPath: string;
  /** In order of popularity, the most wanted first. */
  readonly packages: readonly PackageFacts[];
}

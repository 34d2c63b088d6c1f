/**
 * A real, signed Debian archive in a temporary directory, generated from a seed: what a mirror serves and what APT
 * verifies. `publish` makes a new state of it: a new Release, new indexes, patches from the old ones.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Keys } from './keys.ts';
import { buildPackage, buildSource } from './package-spec.ts';
import type { ArchiveFile, BuiltPackage, BuiltSource, PackageSpec, SourceSpec } from './package-spec.ts';
import { makePatch, patchIndex } from './pdiff.ts';
import type { Patch } from './pdiff.ts';
import { md5, sha256 } from './random.ts';

export type Compression = 'none' | 'gz' | 'xz' | 'bz2' | 'zst';

/**
 * - `good`: InRelease, Release and Release.gpg by the archive's key
 * - `detached`: Release and Release.gpg only
 * - `unknown`: all three by a key that is in no keyring
 * - `bad`: changed after signing
 * - `none`: Release alone
 */
export type Signing = 'good' | 'detached' | 'unknown' | 'bad' | 'none';

export interface ArchiveOptions {
  readonly keys: Keys;
  readonly seed: string;
  /** Path below the mirror's root; `debian`. Empty puts it at the root itself. */
  readonly base?: string;
  /** Name of the directory below dists/, and codename; `trixie`. */
  readonly suite?: string;
  readonly components?: readonly string[];
  readonly architectures?: readonly string[];
  readonly compressions?: readonly Compression[];
  readonly byHash?: boolean;
  readonly pdiffs?: boolean;
  readonly signing?: Signing;
  /** A repository without dists/ and pool/ (sources.list: `deb URI ./`). */
  readonly flat?: boolean;
  /** Contents, dep11 and cnf as well. */
  readonly extras?: boolean;
  readonly origin?: string;
  /** Where to put it; several archives can share one mirror root. */
  readonly root?: string;
}

export interface PublishOptions {
  /** Added, or put in place of what has the same component, name and architecture. */
  readonly add?: readonly PackageSpec[];
  readonly remove?: readonly string[];
  readonly sources?: readonly SourceSpec[];
  /** Of the Release, and modification time of what changes; an hour after the state before. */
  readonly date?: Date;
  readonly validUntil?: Date;
  readonly signing?: Signing;
  /** Changes an index before it is hashed and signed for: well-signed nonsense. */
  readonly mangleIndex?: (path: string, text: string) => string;
  /** Changes the Release before it is signed. */
  readonly mangleRelease?: (text: string) => string;
}

const HOUR = 3_600_000;

function compress(kind: Compression, data: Buffer): Buffer {
  if (kind === 'none') return data;
  if (kind === 'gz') return gzipSync(data);
  const [command, ...args] = { xz: ['xz', '-0', '-c'], bz2: ['bzip2', '-c'], zst: ['zstd', '-q', '-c'] }[kind];
  return execFileSync(command as string, args, { input: data, maxBuffer: 1 << 30 });
}

const suffix = (kind: Compression): string => (kind === 'none' ? '' : `.${kind}`);
const rfcDate = (date: Date): string => date.toUTCString().replace('GMT', 'UTC');

export class Archive {
  /** What the mirror serves. */
  readonly root: string;
  readonly base: string;
  readonly suite: string;
  readonly keys: Keys;
  readonly #options: ArchiveOptions;
  readonly #ownsRoot: boolean;
  readonly #packages = new Map<string, BuiltPackage>();
  readonly #sources = new Map<string, BuiltSource>();
  readonly #indexes = new Map<string, string>();
  readonly #patches = new Map<string, Patch[]>();
  #date = new Date(Math.floor(Date.now() / HOUR) * HOUR - 48 * HOUR);

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#ownsRoot = options.root === undefined;
    this.root = options.root ?? mkdtempSync(join(tmpdir(), 'dt-archive-'));
    this.base = options.base ?? 'debian';
    this.suite = options.suite ?? 'trixie';
    this.keys = options.keys;
  }

  get #flat(): boolean {
    return this.#options.flat ?? false;
  }

  /** Path below the mirror's root, with a leading slash. */
  url(path: string): string {
    const plain = path.replace(/^\.\//, '');
    return this.base === '' ? `/${plain}` : `/${this.base}/${plain}`;
  }

  /** Such as `dists/trixie/InRelease`. */
  metaPath(name: string): string {
    return this.#flat ? name : `dists/${this.suite}/${name}`;
  }

  get packages(): readonly BuiltPackage[] {
    return [...this.#packages.values()];
  }

  get sources(): readonly BuiltSource[] {
    return [...this.#sources.values()];
  }

  /** The file of a package in the current state. */
  file(name: string, architecture?: string): ArchiveFile {
    const found = this.packages.find(
      (item) => item.spec.name === name && (architecture === undefined || item.architecture === architecture),
    );
    if (found === undefined) throw new Error(`no package ${name} in the archive`);
    return found.file;
  }

  /** Content of a file as it is on the mirror's disk. */
  read(path: string): Buffer {
    return readFileSync(join(this.root, this.base, path));
  }

  /** Puts a file in place at once, dated like the current state; also what tests break the archive with. */
  write(path: string, data: Buffer | string): void {
    const target = join(this.root, this.base, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(`${target}.new`, data);
    utimesSync(`${target}.new`, this.#date, this.#date);
    renameSync(`${target}.new`, target);
  }

  /** The by-hash path of an index of the current state, such as of `main/binary-amd64/Packages.xz`. */
  byHashPath(name: string): string {
    const path = this.metaPath(name);
    return `${dirname(path)}/by-hash/SHA256/${sha256(this.read(path))}`;
  }

  publish(options: PublishOptions = {}): this {
    const { seed } = this.#options;
    this.#date = options.date ?? new Date(this.#date.getTime() + HOUR);
    for (const name of options.remove ?? []) {
      for (const [key, item] of this.#packages) if (item.spec.name === name) this.#packages.delete(key);
    }
    for (const spec of options.add ?? []) {
      const item = buildPackage(seed, spec, this.#flat ? '.' : undefined);
      this.#packages.set(`${item.component}/${spec.name}/${item.architecture}`, item);
      this.write(item.file.path, item.data);
    }
    for (const spec of options.sources ?? []) {
      const item = buildSource(seed, spec);
      this.#sources.set(`${item.component}/${item.name}`, item);
      for (const file of item.files) this.write(file.path, file.data);
    }
    this.#writeRelease(this.#writeIndexes(options), options);
    return this;
  }

  /** Writes all indexes and returns what the Release lists: name to content. */
  #writeIndexes({ mangleIndex }: PublishOptions): Map<string, Buffer> {
    const listed = new Map<string, Buffer>();
    const { compressions = ['gz', 'xz'] } = this.#options;
    for (const [name, plain] of this.#indexTexts()) {
      const text = mangleIndex?.(name, plain) ?? plain;
      const data = Buffer.from(text);
      listed.set(name, data);
      for (const kind of compressions) listed.set(name + suffix(kind), compress(kind, data));
      if ((this.#options.pdiffs ?? false) && name.endsWith('/Packages')) {
        listed.set(`${name}.diff/Index`, this.#writePatches(name, text));
      }
      this.#indexes.set(name, text);
    }
    for (const [name, data] of listed) {
      // As on Debian's mirrors: the plain index is in the Release, but only compressed ones are served.
      const plain = this.#indexes.has(name);
      if (plain && !compressions.includes('none')) continue;
      this.#writeMeta(name, data);
    }
    return listed;
  }

  #writeMeta(name: string, data: Buffer): void {
    const path = this.metaPath(name);
    let same = false;
    try {
      same = this.read(path).equals(data);
    } catch {
      // not there yet
    }
    if (!same) this.write(path, data);
    if (this.#options.byHash ?? !this.#flat) this.write(`${dirname(path)}/by-hash/SHA256/${sha256(data)}`, data);
  }

  #indexTexts(): Map<string, string> {
    const texts = new Map<string, string>();
    const join_ = (stanzas: readonly string[]): string => stanzas.map((stanza) => `${stanza}\n`).join('');
    const packages = this.packages.toSorted((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
    if (this.#flat) {
      texts.set('Packages', join_(packages.map(({ stanza }) => stanza)));
      return texts;
    }
    const { components = ['main', 'contrib'], architectures = ['amd64', 'arm64'], extras = false } = this.#options;
    for (const component of components) {
      const here = packages.filter((item) => item.component === component);
      for (const architecture of architectures) {
        const items = here.filter((item) => [architecture, 'all'].includes(item.architecture));
        texts.set(`${component}/binary-${architecture}/Packages`, join_(items.map(({ stanza }) => stanza)));
        if (!extras) continue;
        const names = items.map(({ spec }) => spec.name);
        texts.set(
          `${component}/Contents-${architecture}`,
          names.map((name) => `usr/share/${name}/payload misc/${name}\n`).join(''),
        );
        texts.set(
          `${component}/dep11/Components-${architecture}.yml`,
          `---\nFile: DEP-11\nVersion: '0.16'\nOrigin: ${this.suite}-${component}\n` +
            names.map((name) => `---\nType: generic\nID: ${name}\nPackage: ${name}\n`).join(''),
        );
        texts.set(
          `${component}/cnf/Commands-${architecture}`,
          `suite: ${this.suite}\ncomponent: ${component}\narch: ${architecture}\n\n` +
            names.map((name) => `name: ${name}\nversion: 1\ncommands: ${name}\n\n`).join(''),
        );
      }
      const sources = this.sources.filter((item) => item.component === component);
      texts.set(`${component}/source/Sources`, join_(sources.map(({ stanza }) => stanza)));
      texts.set(`${component}/i18n/Translation-en`, join_(here.map(({ translation }) => translation)));
    }
    return texts;
  }

  #writePatches(name: string, text: string): Buffer {
    const patches = this.#patches.get(name) ?? [];
    const before = this.#indexes.get(name);
    if (before !== undefined && before !== text) {
      const stamp = `2026-01-01-${String(patches.length).padStart(4, '0')}.00`;
      const patch = makePatch(`T-${stamp}-F-${stamp}`, before, text);
      patches.push(patch);
      this.#writeMeta(`${name}.diff/${patch.name}.gz`, patch.compressed);
    }
    this.#patches.set(name, patches);
    return Buffer.from(patchIndex(text, patches));
  }

  #writeRelease(listed: ReadonlyMap<string, Buffer>, options: PublishOptions): void {
    const { components = ['main', 'contrib'], architectures = ['amd64', 'arm64'], keys } = this.#options;
    const sums = (hash: (data: Buffer) => string): string =>
      [...listed].map(([name, data]) => ` ${hash(data)} ${String(data.length).padStart(8)} ${name}\n`).join('');
    const plain =
      `Origin: ${this.#options.origin ?? 'DebTorrent Test'}\nLabel: Test\nSuite: ${this.suite}\n` +
      `Codename: ${this.suite}\nDate: ${rfcDate(this.#date)}\n` +
      (options.validUntil === undefined ? '' : `Valid-Until: ${rfcDate(options.validUntil)}\n`) +
      (this.#flat ? '' : `Architectures: all ${architectures.join(' ')}\nComponents: ${components.join(' ')}\n`) +
      ((this.#options.byHash ?? !this.#flat) ? 'Acquire-By-Hash: yes\n' : '') +
      `Description: generated for tests\nMD5Sum:\n${sums(md5)}SHA256:\n${sums(sha256)}`;
    const text = options.mangleRelease?.(plain) ?? plain;
    const signing = options.signing ?? this.#options.signing ?? 'good';
    for (const name of ['InRelease', 'Release', 'Release.gpg']) {
      rmSync(join(this.root, this.base, this.metaPath(name)), { force: true });
    }
    const who = signing === 'unknown' ? 'other' : 'archive';
    const spoil = (signed: string): string =>
      signing === 'bad' ? signed.replace('Label: Test', 'Label: Spoiled') : signed;
    this.write(this.metaPath('Release'), spoil(text));
    if (signing === 'none') return;
    this.write(this.metaPath('Release.gpg'), keys.detach(text, who));
    if (signing !== 'detached') this.write(this.metaPath('InRelease'), spoil(keys.clearsign(text, who)));
  }

  close(): void {
    if (this.#ownsRoot) rmSync(this.root, { recursive: true, force: true });
  }
}

/** What a test says about a package, and the stanzas and files of a Debian archive that follow from it. */
import { buildDeb, buildDebWithDpkg, tar } from './deb.ts';
import { md5, randomBytes, sha256 } from './random.ts';
import { gzipSync } from 'node:zlib';

export interface PackageSpec {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly component?: string;
  /** Bytes of incompressible payload; the .deb is some 5 KB larger. */
  readonly size?: number;
  readonly depends?: string;
  /** Changes the payload while name and version stay. */
  readonly variant?: string;
  readonly builder?: 'own' | 'dpkg-deb';
}

export interface SourceSpec {
  readonly name: string;
  readonly version?: string;
  readonly component?: string;
  /** Bytes of incompressible payload in the upstream tarball. */
  readonly size?: number;
}

/** A file of the archive. */
export interface ArchiveFile {
  /** Relative to the archive's base, no leading slash. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface BuiltPackage {
  readonly spec: PackageSpec;
  readonly component: string;
  readonly architecture: string;
  readonly file: ArchiveFile;
  readonly stanza: string;
  readonly translation: string;
  readonly data: Buffer;
}

export interface BuiltSource {
  readonly component: string;
  readonly name: string;
  readonly stanza: string;
  readonly files: readonly (ArchiveFile & { readonly data: Buffer })[];
}

const withoutEpoch = (version: string): string => version.replace(/^\d+:/, '');
const poolDirectory = (component: string, name: string): string =>
  `pool/${component}/${name.startsWith('lib') ? name.slice(0, 4) : name.slice(0, 1)}/${name}`;

/** `directory` overrides the pool's layout, for flat repositories. */
export function buildPackage(seed: string, spec: PackageSpec, directory?: string): BuiltPackage {
  const { name, version = '1.0-1', architecture = 'amd64', component = 'main', size = 2000 } = spec;
  const payload = randomBytes(`${seed}/${name}/${version}/${architecture}/${spec.variant ?? ''}`, size);
  const short = `generated package ${name}`;
  const long = ` Made for a test, ${sha256(payload).slice(0, 32)} is how its payload starts.\n .\n It does nothing.\n`;
  const fields =
    `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\n` +
    `Maintainer: Nobody <nobody@example.org>\nInstalled-Size: ${Math.ceil(size / 1024)}\n` +
    (spec.depends === undefined ? '' : `Depends: ${spec.depends}\n`) +
    `Section: misc\nPriority: optional\n`;
  const content = { name, control: `${fields}Description: ${short}\n${long}`, payload };
  const data = spec.builder === 'dpkg-deb' ? buildDebWithDpkg(content) : buildDeb(content);
  const file = {
    path: `${directory ?? poolDirectory(component, name)}/${name}_${withoutEpoch(version)}_${architecture}.deb`,
    size: data.length,
    sha256: sha256(data),
  };
  const descriptionMd5 = md5(`${short}\n${long}`);
  return {
    spec,
    component,
    architecture,
    file,
    stanza:
      `${fields}Description: ${short}\nDescription-md5: ${descriptionMd5}\n` +
      `Filename: ${file.path}\nSize: ${file.size}\nMD5sum: ${md5(data)}\nSHA256: ${file.sha256}\n`,
    translation: `Package: ${name}\nDescription-md5: ${descriptionMd5}\nDescription-en: ${short}\n${long}`,
    data,
  };
}

export function buildSource(seed: string, spec: SourceSpec): BuiltSource {
  const { name, version = '1.0-1', component = 'main', size = 5000 } = spec;
  const directory = poolDirectory(component, name);
  const upstream = withoutEpoch(version).replace(/-[^-]*$/, '');
  const payload = randomBytes(`${seed}/source/${name}/${version}`, size);
  const make = (fileName: string, data: Buffer) => ({
    path: `${directory}/${fileName}`,
    size: data.length,
    sha256: sha256(data),
    data,
  });
  const tarballs = [
    make(`${name}_${upstream}.orig.tar.gz`, gzipSync(tar({ [`${name}-${upstream}/payload`]: payload }), { level: 1 })),
    make(
      `${name}_${withoutEpoch(version)}.debian.tar.gz`,
      gzipSync(tar({ 'debian/source/format': '3.0 (quilt)\n', 'debian/rules': '#!/usr/bin/make -f\n' })),
    ),
  ];
  const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  const checksums = (files: typeof tarballs): string =>
    `Files:\n${files.map((file) => ` ${md5(file.data)} ${file.size} ${baseName(file.path)}\n`).join('')}` +
    `Checksums-Sha256:\n${files.map((file) => ` ${file.sha256} ${file.size} ${baseName(file.path)}\n`).join('')}`;
  const fields =
    `Binary: ${name}\nArchitecture: any\nVersion: ${version}\nMaintainer: Nobody <nobody@example.org>\n` +
    `Standards-Version: 4.6.2\nBuild-Depends: debhelper\n`;
  const dsc = make(
    `${name}_${withoutEpoch(version)}.dsc`,
    Buffer.from(`Format: 3.0 (quilt)\nSource: ${name}\n${fields}${checksums(tarballs)}`),
  );
  const files = [dsc, ...tarballs];
  return {
    component,
    name,
    files,
    stanza: `Package: ${name}\nFormat: 3.0 (quilt)\n${fields}Directory: ${directory}\n${checksums(files)}`,
  };
}

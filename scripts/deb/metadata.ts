/** What a Debian package says of itself: control, copyright (DEP-5) and changelog. */
import type { NpmPackage } from './production-packages.ts';

export interface Release {
  /** As Debian orders it: `2.0.0~alpha.1`. */
  readonly version: string;
  readonly date: Date;
  /** `Name <address>` */
  readonly maintainer: string;
}

/** Policy 12.5: licences that Debian has on every machine are named and not repeated. */
const APACHE = `Permission is granted under the Apache License, Version 2.0; on Debian systems its text is in
/usr/share/common-licenses/Apache-2.0.`;

/** A version of npm with a pre-release, which comes before the release: `-` is `~` for Debian. */
export function debianVersion(version: string): string {
  return version.replace('-', '~');
}

/** @param installedKiB Installed-Size of Debian policy 5.6.20 */
export function control({ version, maintainer }: Release, installedKiB: number): string {
  return `Package: debtorrent
Version: ${version}
Architecture: all
Maintainer: ${maintainer}
Installed-Size: ${installedKiB}
Depends: apt, gpgv | sqv, xz-utils
Recommends: nodejs (>= 20.19), systemd, ca-certificates, bzip2, zstd
Suggests: avahi-daemon, prometheus
Section: net
Priority: optional
Description: proxy for APT that fetches packages from other machines
 DebTorrent answers APT from its cache, from peers on the network, and from the
 mirror, in that order and never slower than the mirror alone. Every byte is
 checked against the signatures of the archive. Machines that update at the
 same time share one download.
 .
 It needs Node 20.19 or later. Where Debian's nodejs is older (Debian 12), a
 newer one from elsewhere will do, in /usr/bin or /usr/local/bin.
`;
}

export function changelog({ version, date, maintainer }: Release): string {
  const when = date.toUTCString().replace('GMT', '+0000');
  return `debtorrent (${version}) unstable; urgency=medium\n\n  * Built from the sources of this version.\n\n -- ${maintainer}  ${when}\n`;
}

/** @param read the text of a file of the checkout */
export function copyright(packages: readonly NpmPackage[], read: (path: string) => string): string {
  const own = read('LICENSE');
  const holders = (text: string) =>
    text.match(/^ *copyright .*\d{4}.*$/im)?.[0]?.trim() ?? 'the authors of the package';
  const texts = new Map<string, string>([['Expat', own.slice(own.indexOf('Permission'))]]);
  const stanzas = packages.map((each) => {
    const text = licenseText(each, read);
    // many texts differ in their holders only
    const body =
      text?.slice(Math.max(text.search(/permission|redistribution/i), 0)) ?? `${each.license}, by its package.json.`;
    const known = [...texts].find(([, other]) => squeezed(other) === squeezed(body))?.[0];
    const name = known ?? `${each.license.replaceAll(/[^A-Za-z0-9.+-]/g, '-')}-${texts.size}`;
    if (known === undefined) texts.set(name, body);
    const by = holders(text ?? '');
    return `Files: usr/share/debtorrent/${each.path}/*\nCopyright: ${by}\nLicense: ${name}\n`;
  });
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: DebTorrent\n',
    `Files: *\nCopyright: ${holders(own)}\nLicense: Expat\n`,
    ...stanzas,
    ...[...texts].map(([name, text]) => `License: ${name}\n${indented(text)}\n`),
  ].join('\n');
}

function licenseText({ path, name, license }: NpmPackage, read: (path: string) => string): string | undefined {
  const where = name === 'webrtc-polyfill' ? '' : `${path}/`;
  if (license === 'Apache-2.0') return APACHE;
  for (const file of ['LICENSE', 'LICENSE.md', 'license', 'License', 'LICENCE', 'LICENSE.txt', 'license.md']) {
    try {
      return read(`${where}${file}`);
    } catch {
      // the next name
    }
  }
  return undefined;
}

function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().toLowerCase();
}

function indented(text: string): string {
  const lines = text.trim().split(/\r?\n/);
  return lines.map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)).join('\n');
}

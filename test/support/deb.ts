/**
 * Writes .deb files and source tarballs without a process for each: a .deb is an ar archive of debian-binary,
 * control.tar.gz and data.tar (deb(5)). Uncompressed data of random bytes makes the size of a package predictable.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

/** One member of a POSIX ustar archive, owned by root, dated 1 January 2026. */
function tarEntry(name: string, data: Buffer | undefined): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(name, 0, 100);
  header.write(octal(data === undefined ? 0o755 : 0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(data?.length ?? 0, 12), 124);
  header.write(octal(1_767_225_600, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write(data === undefined ? '5' : '0', 156);
  header.write('ustar\x0000root', 257);
  header.write('root', 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  if (data === undefined) return header;
  return Buffer.concat([header, data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

/** A tar archive of `files`; a value of undefined makes a directory. */
export function tar(files: Readonly<Record<string, Buffer | string | undefined>>): Buffer {
  const entries = Object.entries(files).map(([name, data]) =>
    tarEntry(name, typeof data === 'string' ? Buffer.from(data) : data),
  );
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
}

function arMember(name: string, data: Buffer): Buffer {
  const header = `${name.padEnd(16)}${'1767225600'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header, 'latin1'), data, Buffer.alloc(data.length % 2, '\n')]);
}

export interface DebContent {
  readonly name: string;
  /** The control file's fields, ended by a newline. */
  readonly control: string;
  readonly payload: Buffer;
}

export function buildDeb({ name, control, payload }: DebContent): Buffer {
  const directory = `./usr/share/${name}/`;
  const data = tar({
    './': undefined,
    './usr/': undefined,
    './usr/share/': undefined,
    [directory]: undefined,
    [`${directory}payload`]: payload,
  });
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    arMember('debian-binary', Buffer.from('2.0\n')),
    arMember('control.tar.gz', gzipSync(tar({ './': undefined, './control': control }))),
    arMember('data.tar', data),
  ]);
}

/** The same through dpkg-deb, some 20 ms a package. */
export function buildDebWithDpkg({ name, control, payload }: DebContent): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'dt-deb-'));
  try {
    const share = join(directory, 'root/usr/share', name);
    mkdirSync(share, { recursive: true });
    mkdirSync(join(directory, 'root/DEBIAN'));
    writeFileSync(join(share, 'payload'), payload);
    writeFileSync(join(directory, 'root/DEBIAN/control'), control);
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '-b', 'root', 'out.deb'], {
      cwd: directory,
      stdio: 'ignore',
    });
    return readFileSync(join(directory, 'out.deb'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { decompress } from '../../../src/actors/packages-parser/decompress.ts';
import { loadIndex, type IndexFile } from '../../../src/actors/packages-parser/index-loader.ts';
import type { Compression } from '../../../src/core/archive/index-name.ts';
import { Segment } from '../../../src/core/archive/segment.ts';
import type { Sha256 } from '../../../src/core/ids.ts';
import { skipWithout } from '../../support/process.ts';

const COUNT = 5000;
const plain = Buffer.from(
  Array.from({ length: COUNT }, (_, i) => {
    const sha = createHash('sha256').update(String(i)).digest('hex');
    return `Package: p${i}\nFilename: pool/p${i}_1_amd64.deb\nSize: ${i}\nSHA256: ${sha}\n`;
  }).join('\n'),
);
const PROGRAMS: Partial<Record<Compression, readonly [string, ...string[]]>> = {
  xz: ['xz', '-0', '-c'],
  lzma: ['xz', '-0', '-c', '--format=lzma'],
  bz2: ['bzip2', '-c'],
  zst: ['zstd', '-q', '-c'],
};

function compress(kind: Compression, data: Buffer): Buffer {
  if (kind === 'none') return data;
  const [command, ...args] = PROGRAMS[kind] ?? [];
  return command === undefined ? gzipSync(data) : execFileSync(command, args, { input: data, maxBuffer: 1 << 28 });
}

/** Bytes of the nameless file that a program of this process writes to. */
function spooledBytes(): number {
  const open = readdirSync('/proc/self/fd').map((fd) => `/proc/self/fd/${fd}`);
  const spool = open.find((fd) => {
    try {
      return readlinkSync(fd).includes('/unpack-');
    } catch {
      return false;
    }
  });
  return spool === undefined ? 0 : (statSync(spool, { throwIfNoEntry: false })?.size ?? 0);
}

t.test('index files', { skip: skipWithout('xz', 'bzip2', 'zstd') }, async (t) => {
  const scratchDir = mkdtempSync(join(tmpdir(), 'dt-index-'));
  t.teardown(() => rmSync(scratchDir, { recursive: true, force: true }));
  const path = join(scratchDir, 'index');
  const signal = new AbortController().signal;

  function file(compression: Compression, data: Buffer, changes: Partial<IndexFile> = {}): IndexFile {
    writeFileSync(path, data);
    const sha256 = createHash('sha256').update(data).digest('hex') as Sha256;
    return {
      path,
      kind: 'packages',
      compression,
      sha256,
      size: data.length,
      plainSize: plain.length,
      scratchDir,
      ...changes,
    };
  }

  t.test('a path that is listed with two contents is known by neither, the others are', async (t) => {
    const sha = (text: string) => createHash('sha256').update(text).digest('hex') as Sha256;
    const stanza = (name: string, content: string): string =>
      `Package: x\nFilename: pool/${name}.deb\nSize: ${content.length}\nSHA256: ${sha(content)}\n\n`;
    const text = [
      ...[stanza('a', 'one'), stanza('latest', 'first'), stanza('latest', 'second'), stanza('a', 'one')],
      ...Array.from({ length: 300 }, (_, i) => stanza(`p${i}`, `${i}`)),
      stanza('latest', 'first'),
    ].join('');
    const data = Buffer.from(text);
    const { segment, skipped } = await loadIndex(file('none', data, { plainSize: data.length }), signal);
    t.equal(segment.lookup('pool/latest.deb'), undefined);
    t.match(segment.lookupSha(sha('first')), { path: 'pool/latest.deb', size: 5 }, 'it is known by its content');
    t.match(segment.lookup('pool/a.deb'), { sha256: sha('one') }, 'twice the same is no conflict');
    t.match(segment.lookup('pool/p299.deb'), { sha256: sha('299') });
    t.equal(skipped, 1);
  });

  for (const compression of ['none', 'gz', 'xz', 'lzma', 'bz2', 'zst'] as const) {
    const data = compress(compression, plain);
    t.test(`${compression} is read to its end`, async (t) => {
      const loaded = await loadIndex(file(compression, data), signal);
      const segment = Segment.open(loaded.segment.memory);
      t.match(loaded, { files: COUNT, bytes: ((COUNT - 1) * COUNT) / 2, skipped: 0 });
      t.equal(segment?.lookup('pool/p4999_1_amd64.deb')?.size, 4999);
    });

    t.test(`${compression}: what is not the file that the Release lists is refused`, async (t) => {
      const altered = Buffer.from(data);
      altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
      const { sha256 } = file(compression, data);
      await t.rejects(loadIndex(file(compression, altered, { sha256 }), signal), {
        code: /HASH_MISMATCH|INDEX_MALFORMED/,
      });
      await t.rejects(loadIndex(file(compression, data, { size: 1 }), signal), { code: 'HASH_MISMATCH' });
    });

    t.test(`${compression}: what gives more or less than the Release says is refused`, async (t) => {
      await t.rejects(loadIndex(file(compression, data, { plainSize: plain.length - 1 }), signal), {
        code: 'INDEX_TOO_LARGE',
      });
      await t.rejects(loadIndex(file(compression, data, { plainSize: plain.length + 1 }), signal), {
        code: 'INDEX_MALFORMED',
      });
    });

    if (compression === 'none') continue;
    t.test(`${compression}: a signed for but broken file is refused`, async (t) => {
      for (const broken of [data.subarray(0, data.length - 20), Buffer.from('no such format'), Buffer.alloc(0)]) {
        await t.rejects(loadIndex(file(compression, broken), signal), { code: 'INDEX_MALFORMED' });
      }
    });

    t.test(`${compression}: a bomb is refused before it has filled anything`, async (t) => {
      const bomb = compress(compression, Buffer.alloc(compression === 'bz2' ? 1_500_000 : 64_000_000, 'a: b\n'));
      await t.rejects(loadIndex(file(compression, bomb, { plainSize: 1_000_000 }), signal), {
        code: 'INDEX_TOO_LARGE',
      });
    });
  }

  t.test('a program that writes faster than is read stops at what the index may have', async (t) => {
    const before = process.env['PATH'];
    const programs = t.testdir({ zstd: '#!/bin/sh\nexec head -c 64000000 /dev/zero\n' });
    chmodSync(join(programs, 'zstd'), 0o755);
    process.env['PATH'] = `${programs}:${before}`;
    t.teardown(() => void (process.env['PATH'] = before));
    file('zst', Buffer.from('a bomb'));
    const bomb = await openFile(path);
    t.teardown(() => bomb.close());
    let chunks = 0;
    const decompressing = decompress(bomb, 'zst', {
      ...{ dir: scratchDir, signal, maxBytes: 8_000_000 },
      sink() {
        chunks++;
        // Reading is so slow that the program is done with more than it may write.
        while (chunks === 1 && spooledBytes() <= 8_000_000) execFileSync('sleep', ['0.01']);
      },
    });
    await t.rejects(decompressing, { code: 'INDEX_TOO_LARGE' });
    t.equal(chunks, 1, 'not first when all that it may have was read');
  });

  t.test('loading that is cancelled ends at once', async (t) => {
    const ending = new AbortController();
    const loading = loadIndex(file('xz', compress('xz', plain)), ending.signal);
    ending.abort();
    await t.rejects(loading, { code: 'CANCELLED' });
    await t.rejects(loadIndex(file('gz', compress('gz', plain)), AbortSignal.abort()), { code: 'CANCELLED' });
  });

  t.test('a program that is missing is said to be', async (t) => {
    const before = process.env['PATH'];
    const compressed = file('bz2', compress('bz2', plain));
    process.env['PATH'] = scratchDir;
    t.teardown(() => void (process.env['PATH'] = before));
    await t.rejects(loadIndex(compressed, signal), { code: 'DECOMPRESSOR_MISSING' });
    // one that may not be run is as good as none
    const programs = t.testdir({ bzip2: '' });
    process.env['PATH'] = programs;
    await t.rejects(loadIndex(compressed, signal), { code: 'DECOMPRESSOR_MISSING' });
  });

  t.test('a file that is not there', async (t) => {
    await t.rejects(loadIndex(file('gz', plain, { path: join(scratchDir, 'missing') }), signal), { code: 'STORE_IO' });
  });

  t.test('nothing is left in the directory for scratch files', async (t) => {
    t.strictSame(readdirSync(scratchDir), ['index']);
  });
});

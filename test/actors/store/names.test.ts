import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import type { MirrorUrl } from '../../../src/core/ids.ts';
import { InOrder } from '../../../src/actors/store/in-order.ts';
import { layoutOf, type Layout } from '../../../src/actors/store/layout.ts';
import { Names } from '../../../src/actors/store/names.ts';

const DAY = 24 * 3_600_000;

function scene(
  t: Test,
  keepRecords?: number,
): { layout: Layout; names: Names; make(name: string, ageMs: number): void; left(): string[] } {
  const layout = layoutOf(t.testdir());
  mkdirSync(layout.names);
  const make = (name: string, ageMs: number): void => {
    const path = join(layout.names, `${name}.json`);
    writeFileSync(path, '{}');
    const at = (Date.now() - ageMs) / 1000;
    if (ageMs > 0) utimesSync(path, at, at);
  };
  return {
    layout,
    names: new Names(layout, new InOrder(), keepRecords),
    make,
    left: () => readdirSync(layout.names).toSorted(),
  };
}

t.test('names that were not used for 90 days go', async (t) => {
  const { layout, names, make, left } = scene(t);
  make('old', 91 * DAY);
  make('recent', 89 * DAY);
  make('read', 100 * DAY);
  utimesSync(
    join(layout.names, 'read.json'),
    Date.now() / 1000,
    statSync(join(layout.names, 'read.json')).mtimeMs / 1000,
  );
  await names.prune(Date.now());
  t.strictSame(left(), ['read.json', 'recent.json']);
});

t.test('of more names than are kept those that were used longest ago go', async (t) => {
  const { names, make, left } = scene(t, 500);
  for (let n = 0; n < 10; n++) make(`old${n}`, (n + 1) * 3_600_000);
  for (let n = 0; n < 495; n++) make(`n${n}`, 0);
  await names.prune(Date.now());
  t.equal(left().length, 500);
  t.strictSame(
    left().filter((name) => name.startsWith('old')),
    [0, 1, 2, 3, 4].map((n) => `old${n}.json`),
  );
});

t.test('it is looked for them once a day, and when many were written', async (t) => {
  const { names, make, left } = scene(t);
  const now = Date.now();
  await names.prune(now);
  make('old', 91 * DAY);
  await names.prune(now + DAY - 1);
  t.equal(left().length, 1);
  await names.prune(now + DAY);
  t.equal(left().length, 0);
  make('old', 91 * DAY);
  const record = { sha256: 'a'.repeat(64) as never, size: 1, freshUntil: 0 };
  const writes = Array.from({ length: 2_000 }, (_, n) =>
    names.put({ ...record, url: `http://ftp.us.debian.org/${n}` as MirrorUrl }),
  );
  await names.prune(now + DAY + 1);
  await Promise.all(writes);
  t.equal(left().includes('old.json'), false);
  t.equal(left().length, 2_000);
});

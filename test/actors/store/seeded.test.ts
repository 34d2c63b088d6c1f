import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import t, { type Test } from 'tap';

import { systemClock } from '../../../src/core/clock.ts';
import type { Sha256 } from '../../../src/core/ids.ts';
import { layoutOf, type Layout } from '../../../src/actors/store/layout.ts';
import { LeastRecentlyUsed } from '../../../src/actors/store/lru.ts';
import { fingerprintOf } from '../../../src/actors/store/recovery.ts';
import { NOTE_FILES, Seeded, writeNote } from '../../../src/actors/store/seeded.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';
import { until } from '../../support/process.ts';
import { sha256 } from '../../support/random.ts';

interface Scene {
  readonly layout: Layout;
  readonly files: LeastRecentlyUsed;
  readonly seeded: Seeded;
  counted(): number;
  /** Puts a file into the cache; its hash and fingerprint. */
  make(text: string): [Sha256, string];
  notes(): string[];
}

function scene(t: Test): Scene {
  const layout = layoutOf(t.testdir());
  const files = new LeastRecentlyUsed();
  let counted = 0;
  const seeded = new Seeded({ layout, files, clock: systemClock, log: new Recorder(), counted: () => counted++ });
  t.teardown(() => seeded.stop());
  return {
    layout,
    files,
    seeded,
    counted: () => counted,
    make(text) {
      const hash = sha256(Buffer.from(text)) as Sha256;
      mkdirSync(dirname(layout.file(hash)), { recursive: true });
      writeFileSync(layout.file(hash), text);
      return [hash, fingerprintOf(statSync(layout.file(hash), { bigint: true }))];
    },
    notes: () => readdirSync(layout.seeded),
  };
}

t.test('what was noted is counted, and verified if it is as it was', async (t) => {
  const { layout, files, seeded, counted, make, notes } = scene(t);
  seeded.take();
  t.equal(counted(), 0, 'there is nothing, not even the directory');
  const [good, fingerprint] = make('good');
  const [changed] = make('changed');
  const gone = 'f'.repeat(64) as Sha256;
  const noted = [
    [good, fingerprint],
    [changed, '1:2:3:4'],
    [gone, '1:2:3:4'],
  ] as const;
  writeNote(layout, 'a', new Map(noted), undefined);
  t.equal(statSync(layout.seeded).mode & 0o777, 0o700);
  seeded.take();
  t.equal(counted(), 1);
  t.match(files.get(good), { size: 4, fingerprint, checkedAt: files.get(good)?.usedAt });
  t.strictSame(files.get(changed)?.fingerprint, undefined);
  t.equal(files.files, 2);
  t.strictSame(notes(), [], 'once');
});

t.test('what is known of a file already is not made worse by a note that is out of date', async (t) => {
  const { layout, files, seeded, make } = scene(t);
  const [hash, fingerprint] = make('known');
  files.put(hash, { size: 5, usedAt: 1, fingerprint, checkedAt: 1 });
  writeNote(layout, 'a', new Map([[hash, '1:2:3:4']]), undefined);
  seeded.take();
  t.equal(files.get(hash)?.fingerprint, fingerprint);
});

t.test('many notes are taken bit by bit', async (t) => {
  const { layout, files, seeded, make } = scene(t);
  for (let n = 0; n < 7; n++) writeNote(layout, `note${n}`, new Map([make(`file ${n}`)]), undefined);
  seeded.take();
  t.equal(files.files, 2);
  await until('all are there', () => files.files === 7);
});

t.test('notes that are none are dropped, what is being written is left alone', async (t) => {
  const { layout, files, seeded, make, notes } = scene(t);
  writeNote(layout, 'good', new Map([make('good')]), undefined);
  const long = Object.fromEntries(
    Array.from({ length: NOTE_FILES + 1 }, (_, n) => [sha256(Buffer.from(String(n))), '1']),
  );
  for (const [n, text] of [
    '',
    '{',
    '[]',
    '{"../../x":"1"}',
    '{"a":1}',
    JSON.stringify(long),
    ' '.repeat(300_000),
  ].entries()) {
    writeFileSync(join(layout.seeded, `bad${n}.json`), text);
  }
  writeFileSync(join(layout.seeded, 'next.json.tmp'), '{');
  seeded.take();
  await until('they are gone', () => notes().length === 1);
  t.strictSame(notes(), ['next.json.tmp']);
  t.equal(files.files, 1);
});

import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { replaceFile } from '../../src/actors/replace-file.ts';

t.test(
  'a file is replaced as a whole, for its owner alone, or is as before and nothing of the new one left',
  async (t) => {
    const root = t.testdir({ file: 'what was there before' });
    const path = join(root, 'file');
    for (const options of [{}, { flushed: true }]) {
      await replaceFile(path, 'new', options);
      t.equal(readFileSync(path, 'utf8'), 'new');
      t.equal(statSync(path).mode & 0o777, 0o600);
    }
    const occupied = join(root, 'occupied');
    mkdirSync(occupied);
    await t.rejects(replaceFile(occupied, 'new'), { code: 'EISDIR' });
    t.strictSame(readdirSync(root).toSorted(), ['file', 'occupied']);
  },
);

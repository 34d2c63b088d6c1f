import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { hashNow } from '../../../src/actors/transfers/hash-now.ts';
import { randomBytes } from '../../support/random.ts';
import { hashOf, temporaryDirectory } from '../fixtures/fetch-stack.ts';

t.test('small files are hashed at once, and must be as long as they should be', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('small', 60_000);
  await writeFile(path, data);
  t.equal(hashNow(path, data.length), hashOf(data));
  t.throws(() => hashNow(path, data.length + 1));
});

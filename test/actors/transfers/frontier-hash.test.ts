import { appendFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { FrontierHash, hashNow } from '../../../src/actors/transfers/frontier-hash.ts';
import { randomBytes } from '../../support/random.ts';
import { hashOf, temporaryDirectory } from '../fixtures/fetch-stack.ts';

const MIB = 1024 * 1024;

t.test('a file that arrives in steps has the hash of the whole', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('steps', 5 * MIB + 7);
  await writeFile(path, '');
  const hash = new FrontierHash(path);
  for (let position = 0; position < data.length;) {
    const end = Math.min(position + 700_001, data.length);
    await appendFile(path, data.subarray(position, end));
    hash.advance(end);
    hash.advance(position);
    await new Promise((resolve) => setImmediate(resolve));
    position = end;
  }
  t.equal(await hash.finish(data.length), hashOf(data));
});

t.test('what is far behind, too short or gone is left to others', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  await writeFile(path, Buffer.alloc(MIB));
  await truncate(path, 70 * MIB);
  t.equal(await new FrontierHash(path).finish(70 * MIB), undefined, 'far behind');
  t.equal(await new FrontierHash(path).finish(70 * MIB + 1), undefined, 'too short');
  t.equal(await new FrontierHash(`${path}-`).finish(1000), undefined, 'not there');
  const closed = new FrontierHash(path);
  closed.advance(MIB);
  closed.close();
  t.equal(await closed.finish(MIB), undefined, 'closed');
});

t.test('small files are hashed at once, and must be as long as they should be', async (t) => {
  const path = join(await temporaryDirectory(t), 'f');
  const data = randomBytes('small', 60_000);
  await writeFile(path, data);
  t.equal(hashNow(path, data.length), hashOf(data));
  t.throws(() => hashNow(path, data.length + 1));
});

/** What a disk alters by itself, which no date shows. */
import { readFile, stat, utimes, writeFile } from 'node:fs/promises';

import t from 'tap';

import type { Sha256 } from '../../../src/core/ids.ts';
import { fingerprintOf } from '../../../src/actors/store/recovery.ts';
import { until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { hashOf, signedPlan, startFetchStack, temporaryDirectory, type FetchStack } from '../fixtures/fetch-stack.ts';

/** Flips one bit of a cached file that nothing looks after, and dates its last check. */
async function rot({ layout }: FetchStack, sha256: Sha256, checkedAt: number): Promise<void> {
  const path = layout.file(sha256);
  const { atime, mtime } = await stat(path);
  const data = await readFile(path);
  data[1000] = (data[1000] ?? 0) ^ 1;
  await writeFile(path, data);
  await utimes(path, atime, mtime);
  const fingerprint = fingerprintOf(await stat(path, { bigint: true }));
  const saved = JSON.parse(await readFile(layout.verified, 'utf8')) as Record<string, string>;
  await writeFile(layout.verified, JSON.stringify({ ...saved, [sha256]: `${fingerprint} ${checkedAt}` }));
}

t.test('a cached file that rotted since its check a day ago is fetched again, large or small', async (t) => {
  const root = await temporaryDirectory(t);
  const files = await temporaryDirectory(t);
  const web = await Mirror.start({ root: files });
  t.teardown(() => web.close());
  for (const [before, [name, size]] of (
    [
      ['small', 30_000],
      ['large', 3_000_000],
    ] as const
  ).entries()) {
    const data = randomBytes(name, size);
    await writeFile(`${files}/${name}`, data);
    const plan = signedPlan(`${web.url}/${name}`, data);
    const first = await startFetchStack(t, { root });
    await first.transfers.ref.within(30_000).ask('fetch', plan);
    await first.stop();
    await rot(first, hashOf(data), Date.now() - 25 * 3_600_000);
    const second = await startFetchStack(t, { root });
    await until(async () => (await second.store.ref.ask('stats')).files > before);
    t.match(await second.store.ref.ask('find', hashOf(data)), { verified: true }, 'no date shows it');
    const file = await second.transfers.ref.within(30_000).ask('fetch', plan);
    await second.stop();
    t.ok((await readFile(file.finalPath)).equals(data), name);
    t.equal(web.copies(`/${name}`), 2);
    web.forget();
    const third = await startFetchStack(t, { root });
    await third.transfers.ref.within(30_000).ask('fetch', plan);
    t.equal(web.log.length, 0, 'what was mended is served from the cache');
    await third.stop();
  }
});

/** Files that are fetched before anybody waits for them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { until } from '../../kernel/contract.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { signedPlan, startFetchStack, temporaryDirectory } from '../fixtures/fetch-stack.ts';

const MIB = 1024 * 1024;
t.setTimeout(600_000);

t.test('who asks for a file that was to be fetched ahead does not wait for those before it', async (t) => {
  const files = await temporaryDirectory(t);
  const web = await Mirror.start({ root: files });
  t.teardown(() => web.close());
  const { transfers } = await startFetchStack(t, { root: await temporaryDirectory(t), connections: 2 });
  const plans = await Promise.all(
    Array.from({ length: 5 }, async (_, n) => {
      const data = randomBytes(`ahead ${n}`, MIB);
      await writeFile(join(files, `${n}.deb`), data);
      return signedPlan(`${web.url}/${n}.deb`, data);
    }),
  );
  // They are slow, not silent: no timeout ends them. Which two of them come first is not said.
  web.rule(/^\/[0-3]\.deb/, { rate: 1024 });
  for (const plan of plans) {
    const ahead = transfers.ref.within(100_000).ask('fetch', { ...plan, ahead: true });
    ahead.catch(() => undefined);
  }
  await until(async () => {
    const { transfers: all } = await transfers.ref.ask('status');
    return all.length === plans.length && web.log.length >= 2;
  });
  const [, , , , last] = plans;
  t.match(await transfers.ref.within(60_000).ask('fetch', last as (typeof plans)[number]), { kind: 'file', size: MIB });
  t.equal(web.requests(/^\/[0-3]\.deb/).length, 2, 'the others go on waiting');
});

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { generateArchive, planPackages } from '../../../scripts/loadtest/archive/generated.ts';
import { createScope } from '../../../scripts/support/scope.ts';
import { Apt } from '../../support/apt.ts';
import { Mirror } from '../../support/mirror.ts';
import { skipWithoutApt } from '../../support/process.ts';

t.test('the same seed gives the same packages, another one others', (t) => {
  t.same(planPackages('a', 50, 1e6), planPackages('a', 50, 1e6));
  t.notSame(planPackages('a', 50, 1e6), planPackages('b', 50, 1e6));
  const sizes = (seed: string): number[] =>
    planPackages(seed, 50)
      .map(({ size }) => size)
      .toSorted((a, b) => a - b);
  t.same(sizes('a'), sizes('b'), 'but the same sizes, in another order');
  t.end();
});

t.test('real apt-get verifies and downloads it; content follows from the seed', { skip: skipWithoutApt }, async (t) => {
  const scope = createScope();
  t.teardown(() => scope.close());
  const options = { seed: 'x', packages: 12, bytes: 300_000, directory: tmpdir() };
  const [one, other] = [await generateArchive(scope, options), await generateArchive(scope, options)];
  t.same(one.packages, other.packages);
  const mirror = await Mirror.start({ root: one.root });
  t.teardown(() => mirror.close());
  const { keyring = '' } = one;
  const apt = new Apt({ uri: `${mirror.url}/${one.base}`, suite: `${one.suite} main`, keyring, languages: 'none' });
  t.teardown(() => apt.close());
  const updated = await apt.update();
  t.equal(updated.code, 0, updated.output);
  t.ok(mirror.requests(`/${one.base}/${one.index.path}`).length > 0, 'the index is asked for where the facts say');
  const got = await apt.download(...one.packages.map(({ name }) => name));
  t.same(got.files.map(({ sha256 }) => sha256).toSorted(), one.packages.map(({ sha256 }) => sha256).toSorted());
  for (const { path, size, sha256 } of [one.release, one.index, { ...one.index, path: one.indexPath }]) {
    const data = await readFile(join(one.root, one.base, path));
    t.equal(data.length, size, path);
    t.equal(createHash('sha256').update(data).digest('hex'), sha256, path);
  }
});

import t, { type Test } from 'tap';

import { Catalogue } from '../../src/core/archive/catalogue.ts';
import { spawn } from '../../src/kernel/actor.ts';
import { IndexUses } from '../../src/gateway/index-uses.ts';
import { planFor } from '../../src/gateway/planner.ts';
import type { PackagesParserProtocol } from '../../src/actors/packages-parser/packages-parser.ts';
import { adopt, ROOT, sha, url } from '../core/archive/catalogue-scene.ts';
import { Recorder } from '../kernel/fixtures/recorder.ts';
import { until } from '../support/process.ts';

const INDEX = 'main/binary-amd64/Packages';
const INDEX_URL = url(`${ROOT}/dists/bookworm/${INDEX}`);
const PACKAGE_URL = url(`${ROOT}/pool/main/h/hello_1_amd64.deb`);

/** A gateway's part, and a parser that takes note of a use when it is let. */
function scene(t: Test) {
  const catalogue = new Catalogue();
  const listed = { [INDEX]: 7 };
  adopt(catalogue, { listed });
  const noted: (() => void)[] = [];
  const told: string[] = [];
  const parser = spawn<PackagesParserProtocol>({
    name: 'parser',
    behaviour: {
      releaseFetched: () => ({
        adopted: false,
        code: 'SIGNATURE_UNKNOWN_KEY',
        message: 'no keys here',
        diverges: false,
      }),
      indexUsed(used) {
        told.push(used);
        return new Promise((resolve) => noted.push(() => resolve(true)));
      },
      releaseConfirmed: () => undefined,
      releaseUnsigned: () => undefined,
      archives: () => [],
    },
    log: new Recorder(),
  });
  t.teardown(() => parser.stop());
  let changed: (() => void)[] = [];
  const uses = new IndexUses(parser.ref, catalogue);
  const deps = {
    catalogue,
    alternates: [],
    uses,
    now: Date.now,
    catalogueChanged: () => new Promise<void>((resolve) => changed.push(resolve)),
  };
  return {
    catalogue,
    told,
    uses,
    plan: (of = PACKAGE_URL) => planFor(deps, of),
    /** What the parser does when it has been told. */
    publish(index: { status: 'loading' | 'loaded'; files?: Record<string, number> }) {
      adopt(catalogue, { listed, indexes: { [INDEX]: index } });
      for (const resolve of changed) resolve();
      changed = [];
    },
    async note() {
      while (noted.length === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const resolve of noted.splice(0)) resolve();
    },
  };
}

t.test('a package that is asked for right after its index is known when the index is', async (t) => {
  const it = scene(t);
  it.uses.note(it.catalogue.lookup(INDEX_URL), INDEX_URL);
  let planned = false;
  const plan = it.plan().finally(() => (planned = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(planned, false, 'the parser has not even taken note');
  it.publish({ status: 'loading' });
  await it.note();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(planned, false, 'the index is being loaded');
  it.publish({ status: 'loaded', files: { 'pool/main/h/hello_1_amd64.deb': 8 } });
  t.match((await plan).plan, { trust: 'signed', sha256: sha(8), size: 8 });
});

t.test(
  'what no index lists is waited for no longer than the parser takes, other archives and metadata not at all',
  async (t) => {
    const it = scene(t);
    t.match((await it.plan()).plan, { trust: 'none' }, 'nothing is in use');
    it.uses.note(it.catalogue.lookup(INDEX_URL), INDEX_URL);
    it.uses.note(it.catalogue.lookup(INDEX_URL), INDEX_URL);
    t.match((await it.plan(url('http://other.example.org/debian/pool/x.deb'))).plan, { trust: 'none' });
    t.match((await it.plan(url(`${ROOT}/dists/sid/InRelease`))).plan, { trust: 'none' });
    const plan = it.plan();
    await it.note();
    t.match((await plan).plan, { trust: 'none' });
    t.strictSame(it.told, [INDEX_URL], 'told once');
    t.equal(it.uses.pendingFor(PACKAGE_URL), undefined);
  },
);

t.test('what may be an index of an archive that is not known yet is told, and nothing waits for it', async (t) => {
  const it = scene(t);
  const names = [`${INDEX}.xz`, `main/source/by-hash/SHA256/${'ab'.repeat(32)}`];
  const early = names.map((name) => url(`${ROOT}/dists/trixie/${name}`));
  for (const each of [
    ...early,
    ...early,
    url(`${ROOT}/dists/trixie/main/i18n/Translation-en.xz`),
    url(`${ROOT}/dists/bookworm/contrib/binary-amd64/Packages.xz`),
    PACKAGE_URL,
  ]) {
    it.uses.note(undefined, each);
  }
  t.equal(it.uses.pendingFor(PACKAGE_URL), undefined);
  // messages are handled in order
  it.uses.note(it.catalogue.lookup(INDEX_URL), INDEX_URL);
  await until('the last is told', () => it.told.includes(INDEX_URL));
  t.strictSame(it.told, [...early, INDEX_URL]);
  await it.note();
});

/** Clients in threads, in front of a server that does not have everything. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startCrowd } from '../../../scripts/loadtest/client/crowd.ts';
import { routeTo } from '../../../scripts/loadtest/client/route.ts';
import { randomBytes, sha256 } from '../../support/random.ts';

const CONTENT = randomBytes('a file', 5000);
const FACTS = { size: CONTENT.length, sha256: sha256(CONTENT) };
const NAMED = 'dists/load/main/binary-amd64/Packages.xz';
const ARCHIVE = {
  release: { path: 'dists/load/InRelease', ...FACTS },
  index: { path: `dists/load/by-hash/SHA256/${FACTS.sha256}`, ...FACTS },
  indexPath: NAMED,
  packages: [{ name: 'one', version: '1', path: 'pool/one_1_all.deb', ...FACTS }],
};
const LOAD = { seed: 'x', clients: 3, packagesEach: 1, sessions: 1, rampMs: 0, thinkMs: 0, leave: 0 };

/** What three clients saw of a server without those files. */
async function seen(t: Test, without: RegExp) {
  const server = createServer((req, res) => {
    if (without.test(req.url ?? '')) res.writeHead(404, { 'Content-Length': 3 }).end('no\n');
    else res.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const routes = [routeTo({ host: '127.0.0.1', port }, 'direct', 'mirror', 'debian')];
  const crowd = startCrowd({ load: LOAD, archive: ARCHIVE, weights: Float64Array.of(1), routes, threads: 1 }, () => {});
  const [done] = await crowd.result;
  return done;
}

t.test('an index that is there by its name alone is no error, as the client has it', async (t) => {
  const done = await seen(t, /by-hash/);
  t.match(done?.counts, { fetched: 9, errors: {}, retries: { 'http-404': 3 }, sessionsDone: 3 });
});

t.test('one that is nowhere is one error of each client', async (t) => {
  const done = await seen(t, /by-hash|Packages/);
  t.match(done?.counts, { errors: { 'http-404': 3 }, retries: { 'http-404': 3 }, sessionsFailed: 3 });
  t.match(done?.examples, [`http-404 ${NAMED}`, `http-404 ${NAMED}`, `http-404 ${NAMED}`]);
});

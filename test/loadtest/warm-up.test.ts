/** Filling the cache of a target that does not do what it should. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { routeTo } from '../../scripts/loadtest/client/route.ts';
import { warmUp } from '../../scripts/loadtest/warm-up.ts';
import { randomBytes, sha256 } from '../support/random.ts';

const CONTENT = randomBytes('a file', 5000);
const FACTS = { size: CONTENT.length, sha256: sha256(CONTENT) };
const ARCHIVE = {
  root: '',
  base: 'debian',
  suite: 'load',
  architecture: 'amd64',
  keyring: undefined,
  release: { path: 'dists/load/InRelease', ...FACTS },
  index: { path: 'dists/load/main/binary-amd64/Packages.xz', ...FACTS },
  indexPath: 'dists/load/main/binary-amd64/Packages.xz',
  packages: Array.from({ length: 8 }, (_, i) => {
    return { name: `p${i}`, version: '1', path: `pool/p${i}_1_all.deb`, ...FACTS };
  }),
};

t.test('a target that answers for lists and never for packages is given up', async (t) => {
  let asked = 0;
  const server = createServer((req, res) => {
    if (req.url?.endsWith('.deb') === true) asked += 1;
    else res.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const routes = [routeTo({ host: '127.0.0.1', port }, 'direct', 'mirror', 'debian')];
  const warm = warmUp(routes, ARCHIVE, new AbortController().signal, 5000);
  await t.rejects(warm, { message: `127.0.0.1:${port}: nothing came for 5 s` });
  t.ok(asked <= ARCHIVE.packages.length, 'none of them twice');
});

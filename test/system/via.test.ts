/** Requests that the daemon forwards say so, and one of its own that comes back to it is not fetched again. */
import t from 'tap';

import { Scene } from '../support/scene.ts';

t.setTimeout(600_000);

t.test('Via', async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'tool' }] } });
  const path = scene.archive.metaPath('InRelease');
  const answer = await scene.get(path, ['Via: 1.1 squid.example.org', 'Via: 1.0 fred']);
  t.equal(answer.status, 200, 'other proxies may stand before it');
  t.match(answer.headers['via'], /^1\.1 debtorrent/);
  const [asked] = scene.mirror.requests(/InRelease/);
  const via = asked?.headers['via'] ?? '';
  t.match(via, /^1\.1 debtorrent-[0-9a-f]+$/);
  scene.mirror.forget();
  for (const headers of [[`Via: ${via}`], [`Via: 1.1 squid.example.org, ${via}`]]) {
    const loop = await scene.get(path, headers);
    t.match(loop, { status: 400, headers: { 'x-debtorrent-error': 'BAD_TARGET' } });
  }
  t.same(scene.mirror.log, []);
});

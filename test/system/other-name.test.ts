/** A daemon that is reached by an address it does not know: behind a translated address, or by a second name in the DNS. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MAIN } from '../support/daemon.ts';
import { run, skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

const HELPER = fileURLToPath(new URL('../../../bin/debtorrent-proxy-detect', import.meta.url));

t.setTimeout(600_000);

t.test('the helper, status and the method find it all the same', { skip: skipWithoutApt }, async (t) => {
  const state = { add: [{ name: 'spoilt', size: 4_000_000 }, { name: 'one' }, { name: 'two' }] };
  const scene = await Scene.start(t, { state, daemon: { listen: '0.0.0.0:0' } });
  const { archive, daemon, mirror } = scene;
  // loopback as well, and none of the addresses that the interface says it has
  const there = `127.0.0.2:${daemon.port}`;
  const env = { PATH: process.env['PATH'], DEBTORRENT_PROXY: there };
  t.match(await run(HELPER, [mirror.url], { env }), { code: 0, stdout: `http://${there}\n` });
  const status = await run(process.execPath, [MAIN, 'status', '--config=/dev/null', `--listen=${there}`]);
  t.match(status, { code: 0, stdout: /^debtorrent \d/ }, status.output);

  const apt = scene.apt('method', { daemon: `http://${there}`, conf: ['Acquire::Retries "0";'] });
  t.equal((await apt.update()).code, 0);
  // a large file is taken as it comes, and an answer that ends short has the method ask whether there is a daemon
  mirror.rule(archive.url(archive.file('spoilt').path), { alterAt: 100 });
  const spoilt = await apt.download('spoilt');
  t.notMatch(spoilt.output, /no DebTorrent on/);
  const got = await apt.download('one', 'two');
  t.same(downloaded(got), hashesOf(archive, 'one', 'two'), got.output);
});

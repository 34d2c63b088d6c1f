/**
 * One mirror of several is down. APT 2.6 (Debian 12) waits for ever when the first InRelease in the queue of a host fails
 * in a way that may pass; in prefix form all mirrors are in one such queue. What the documents advise there goes on.
 */
import t from 'tap';
import { formUri, type Form } from '../support/apt.ts';
import { Mirror } from '../support/mirror.ts';
import { skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

t.setTimeout(600_000);

const FORMS: readonly Form[] = ['proxy', 'method'];

for (const form of FORMS) {
  t.test(`${form}: APT updates from the other mirrors`, { skip: skipWithoutApt }, async (t) => {
    // of another address: APT's queues go by it
    const dead = await Mirror.start({ root: '/nonexistent', address: '127.0.0.2' });
    await dead.down();
    const scene = await Scene.start(t, { state: { add: [{ name: 'tool' }] }, daemon: { mirrors: [dead.host] } });
    const { archive, daemon, keys, mirror } = scene;
    const sourcesList = [dead, mirror].map(({ url }) => {
      const uri = formUri(`${url}${archive.url('').replace(/\/$/, '')}`, form, daemon.url);
      return `deb [signed-by=${keys.keyring}] ${uri} ${archive.suite} main`;
    });
    const apt = scene.apt(form, { sourcesList, conf: ['Acquire::Retries "2";'] });
    const updated = await apt.update();
    t.ok(updated.code > 0, `it ends, and says that one failed: ${updated.code} ${updated.output}`);
    t.same(downloaded(await apt.download('tool')), hashesOf(archive, 'tool'));
  });
}

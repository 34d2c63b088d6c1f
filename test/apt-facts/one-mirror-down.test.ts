/**
 * One mirror of several is down. APT before 3.0.3 can wait for ever then, if it puts off what failed: what it finds to ask
 * for meanwhile in the same queue it never begins. With the daemon in front of them all mirrors are in one queue, in
 * prefix form and by the method; there setup, and the README, turn off the delay.
 */
import t from 'tap';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formUri, type Form } from '../support/apt.ts';
import { Mirror } from '../support/mirror.ts';
import { skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

t.setTimeout(600_000);

/** Signatures are checked so slowly that the other mirror has failed before APT knows what else to ask for. */
const SLOW_GPGV = '#!/bin/sh\nsleep 5\nexec /usr/bin/gpgv "$@"\n';

for (const form of ['prefix', 'proxy', 'method'] satisfies Form[]) {
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
    const gpgv = join(t.testdir(), 'gpgv');
    writeFileSync(gpgv, SLOW_GPGV);
    chmodSync(gpgv, 0o755);
    const conf = ['Acquire::Retries "2";', `APT::Key::gpgvcommand "${gpgv}";`];
    if (form !== 'proxy') conf.push('Acquire::Retries::Delay "false";');
    const apt = scene.apt(form, { sourcesList, conf });
    const updated = await apt.update();
    t.ok(updated.code > 0, `it ends, and says that one failed: ${updated.code} ${updated.output}`);
    t.same(downloaded(await apt.download('tool')), hashesOf(archive, 'tool'));
  });
}

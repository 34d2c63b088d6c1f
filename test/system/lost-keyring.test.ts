/** A keyring that the configuration names, and that is not what it was while the daemon runs. */
import { chmodSync, copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { skipWithout, until } from '../support/process.ts';
import { Scene } from '../support/scene.ts';

t.setTimeout(600_000);

t.test('is named in the log, once, and when it is back', { skip: skipWithout('gpg', 'gpgv', 'xz') }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'dt-keyring-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const [keyring, aside] = [join(dir, 'archive.gpg'), join(dir, 'aside.gpg')];
  writeFileSync(keyring, '');
  // root that may no more than others
  const launcher = process.geteuid?.() === 0 ? ['setpriv', '--inh-caps', '-all', '--bounding-set', '-all'] : [];
  const scene = await Scene.start(t, { state: { add: [{ name: 'hello' }] }, daemon: { keyring, launcher } });
  const { archive, daemon, keys } = scene;
  const lost = () => daemon.logged('a keyring cannot be used').filter((line) => line.includes(keyring));
  const back = () => daemon.logged('the keyring can be used again').filter((line) => line.includes(keyring));
  const refused = () => daemon.logged('Release rejected').length;
  let updates = 0;
  /** Clients take a new Release; resolves when the log says what has become of it. */
  const update = async () => {
    archive.publish();
    t.equal((await scene.get(archive.metaPath('InRelease'))).status, 200);
    updates += 1;
    await until('it was judged', async () => refused() + daemon.logged('Release adopted').length >= updates);
  };

  await update();
  t.match(lost(), [/it is empty/], 'nothing can be checked by an empty one');
  const causes = [
    ['it is there', () => copyFileSync(keys.keyring, keyring), undefined],
    ['it is moved away', () => renameSync(keyring, aside), /ENOENT/],
    ['it is there again', () => renameSync(aside, keyring), undefined],
    ['nobody may read it', () => chmodSync(keyring, 0o000), /EACCES/],
    ['everybody may read it', () => chmodSync(keyring, 0o644), undefined],
  ] as const;
  for (const [what, change, reason] of causes) {
    const before = { lost: lost().length, back: back().length, refused: refused() };
    change();
    await update();
    await update();
    t.equal(refused(), before.refused + (reason === undefined ? 0 : 2), what);
    t.equal(lost().length, before.lost + (reason === undefined ? 0 : 1), `${what}: told of once`);
    t.equal(back().length, before.back + (reason === undefined ? 1 : 0), `${what}: back`);
    if (reason !== undefined) t.match(lost().at(-1), reason);
  }
});

/** What `--download-limit` means for mirrors. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { Daemon } from '../support/daemon.ts';
import { Mirror } from '../support/mirror.ts';
import { randomBytes } from '../support/random.ts';

t.setTimeout(600_000);

const MIB = 1024 * 1024;
/** What may come at once, and what is on its way when the mirror is paused. */
const AT_ONCE = 128 * 1024 + 64 * 1024;

for (const [what, cacheSize] of [
  ['what is cached', '1G'],
  ['what passes by a full cache', '100K'],
] as const) {
  t.test(`mirrors are limited together: ${what}`, async (t) => {
    const root = t.testdir();
    const web = await Mirror.start({ root });
    const daemon = await Daemon.start({
      mirrors: [web.host],
      keyring: '/dev/null',
      flags: ['--download-limit', '1M', '--cache-size', cacheSize],
    });
    t.teardown(async () => {
      await daemon.close();
      await web.close();
    });
    const files = [1, 2].map((n) => ({ name: `${n}.deb`, data: randomBytes(`limit ${n}`, 2 * MIB) }));
    for (const { name, data } of files) writeFileSync(join(root, name), data);
    const began = performance.now();
    const answers = await Promise.all(files.map(({ name }) => daemon.get(web.host, `/${name}`)));
    const seconds = (performance.now() - began) / 1000;
    for (const [n, { data }] of files.entries()) t.ok(answers[n]?.body.equals(data));
    // Paused, the last piece of each file is followed by its end only when it is paid for.
    t.ok(seconds >= (4 * MIB - 2 * AT_ONCE) / MIB, `4 MiB in ${seconds} s`);
  });
}

/** Files that are kept open for peers. */
import { readdirSync, readlinkSync, rmSync } from 'node:fs';

import t from 'tap';

import { received, uploadScene } from './upload-scene.ts';

const isOpen = (path: string): boolean =>
  readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  });

t.test(
  'a file that peers do not read any more is not kept open, so that its room is free when it is removed',
  async (t) => {
    const s = await uploadScene(t);
    const file = s.store('a', 300_000);
    const link = s.link();
    const base = await s.leased(link, file);
    const got = (count: number) => link.until(() => link.of('piece').length === count);
    s.askAll(link, base, file.size);
    await got(3);
    t.ok(received(link, base, file.size).equals(file.data));
    t.ok(isOpen(file.path));
    s.clock.advance(9_000);
    s.ask(link, base, 0, 16_384);
    await got(4);
    s.clock.advance(9_000);
    t.ok(isOpen(file.path), 'it was read a moment ago');
    rmSync(file.path);
    s.clock.advance(20_000);
    t.notOk(isOpen(file.path));
  },
);

/** Prints what one link carries; asserts only that it arrives. Both ends share this process, so each has half of it. */
import { performance } from 'node:perf_hooks';
import t from 'tap';

import type { BlockRef } from '../../../../src/actors/swarm/link/link.ts';
import { pair, until } from './fixtures/pair.ts';

const BLOCKS = Number(process.env['LINK_BLOCKS'] ?? 512);
const LENGTH = 131_072;
const WINDOW = 64;

for (const swarmKey of [undefined, Buffer.alloc(32, 1)]) {
  t.test(`blocks over loopback${swarmKey ? ' in a private swarm' : ''}`, async (t) => {
    const key = swarmKey === undefined ? {} : { swarmKey };
    const { at, bt } = await pair(t, { a: key, b: key });
    const data = Buffer.alloc(LENGTH, 1);
    bt.told.push = () => 0;
    at.copies = false;
    at.told.push = () => 0;
    let asked = 0;
    let came = 0;
    const ask = () => {
      while (asked < BLOCKS && at.link.outstanding < WINDOW) {
        at.link.request({ index: asked >> 3, offset: (asked & 7) * LENGTH, length: LENGTH });
        asked++;
      }
    };
    at.react = (...event) => {
      if (event[0] === 'block') came++;
      if (event[0] === 'block' || event[0] === 'choked') ask();
    };
    const waiting: BlockRef[] = [];
    bt.react = (...event) => {
      if (event[0] === 'requested') waiting.push(event[1]);
      if (event[0] !== 'requested' && event[0] !== 'drained') return;
      for (let next = waiting[0]; next !== undefined && bt.link.writable; next = waiting[0]) {
        waiting.shift();
        bt.link.piece(next, data);
      }
    };
    const start = performance.now();
    bt.link.choke(false);
    await until(() => came === BLOCKS, 'all blocks');
    const seconds = (performance.now() - start) / 1000;
    t.comment(`${Math.round((BLOCKS * LENGTH) / 1_048_576 / seconds)} MiB/s`);
    t.equal(at.link.downBytes, BLOCKS * LENGTH);
  });
}

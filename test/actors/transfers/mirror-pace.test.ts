import t from 'tap';

import type { MirrorUrl } from '../../../src/core/ids.ts';
import type { Together } from '../../../src/actors/transfers/jobs.ts';
import type { MirrorRate } from '../../../src/actors/transfers/mirror-health.ts';
import { MirrorPace } from '../../../src/actors/transfers/mirror-pace.ts';

const URL = 'http://ftp.us.debian.org/a' as MirrorUrl;

/** Four connections may be had. */
function scene(measured: Omit<MirrorRate, 'at'> | undefined, together: Partial<Together> = {}, url = URL) {
  const mirrorRate = () => measured && { ...measured, at: 0 };
  const jobs = { together: { bytes: 0, ms: 0, connections: 0, ...together } };
  return new MirrorPace({ connections: 4, mirrorRate }, { current: () => (url === '' ? undefined : url) }, jobs);
}

t.test('a mirror that was measured over few connections may bring more over all', (t) => {
  const { rate, hoped } = scene({ rate: 500, connections: 1 });
  t.strictSame([rate, hoped], [500, 2000]);
  t.equal(scene({ rate: 900, connections: 2 }).hoped, 1800);
  t.equal(scene({ rate: 900, connections: 4 }).hoped, 900);
  t.equal(scene({ rate: 900, connections: 6 }).hoped, 900);
  t.equal(scene({ rate: 900, connections: 0.2 }).hoped, 3600, 'never more than over as many as there may be');
  t.end();
});

t.test('one that was not measured is hoped to go on as it does', (t) => {
  t.strictSame([scene(undefined).rate, scene(undefined).hoped], [undefined, undefined]);
  const going = { bytes: 300_000, ms: 600, connections: 1 };
  t.strictSame([scene(undefined, going).rate, scene(undefined, going).hoped], [undefined, 2000]);
  t.equal(scene(undefined, { ...going, ms: 400 }).hoped, undefined, 'not yet');
  t.equal(scene(undefined, { ...going, bytes: 1000 }).hoped, undefined, 'a few bytes say nothing');
  t.equal(scene({ rate: 900, connections: 4 }, going).hoped, 900);
  t.equal(scene(undefined, {}, '' as MirrorUrl).hoped, undefined, 'no mirror is left');
  t.end();
});

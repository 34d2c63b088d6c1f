import fc from 'fast-check';
import t from 'tap';

import { InPlace } from '../../src/core/in-place.ts';

t.test('quick calls stay in place, for ever', (t) => {
  const disk = new InPlace(5);
  for (let now = 0; now < 10_000; now += 4) {
    t.ok(disk.allows(now));
    disk.took(now, now + 4);
  }
  t.end();
});

t.test('one that waited is followed by twenty times as long of handing over', (t) => {
  const disk = new InPlace(5);
  t.ok(disk.allows(1000));
  disk.took(1000, 1030);
  t.notOk(disk.allows(1030));
  t.notOk(disk.allows(1629));
  t.ok(disk.allows(1630));
  t.end();
});

t.test('however slow the disk is, waits take at most a twentieth of the time, short ones aside', (t) => {
  fc.assert(
    fc.property(fc.array(fc.record({ takes: fc.nat(500), pause: fc.nat(50) }), { maxLength: 200 }), (calls) => {
      const disk = new InPlace(5);
      let now = 0;
      let waited = 0;
      let last = 0;
      for (const { takes, pause } of calls) {
        now += pause;
        if (!disk.allows(now)) continue;
        disk.took(now, now + takes);
        now += takes;
        last = takes >= 5 ? takes : 0;
        waited += last;
      }
      return waited - last <= now / 20;
    }),
  );
  t.end();
});

import t from 'tap';

import { DropLog } from '../../src/kernel/drop-log.ts';
import { ManualClock } from './fixtures/manual-clock.ts';
import { Recorder } from './fixtures/recorder.ts';

t.test('dropped messages are logged at once, then once a second with their number', async (tt) => {
  const [clock, log] = [new ManualClock(), new Recorder()];
  const drops = new DropLog({ actor: 'store', log, clock });
  for (let n = 0; n < 10; n += 1) drops.count('put', 'mailbox full');
  tt.strictSame(
    log.entries.map(({ fields }) => fields['dropped']),
    [1],
  );
  clock.advance(1000);
  tt.match(log.entries[1], { fields: { actor: 'store', kind: 'put', why: 'mailbox full', dropped: 9, total: 10 } });
  clock.advance(10_000);
  tt.equal(log.entries.length, 2);
  tt.equal(clock.timers, 0);
  drops.count('put', 'ended');
  tt.equal(log.entries.length, 3);
  drops.close();
  tt.equal(clock.timers, 0);
  tt.equal(drops.total, 11);
});

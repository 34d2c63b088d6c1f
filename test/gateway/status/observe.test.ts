import t, { type Test } from 'tap';

import { systemClock, type DatedClock } from '../../../src/core/clock.ts';
import { DebtorrentError } from '../../../src/core/errors.ts';
import type { HttpBackupProtocol } from '../../../src/actors/http-backup/http-backup.ts';
import type { StoreProtocol } from '../../../src/actors/store/protocol.ts';
import type { PeersProtocol, PeersStatus } from '../../../src/actors/swarm/protocol.ts';
import type { TransfersProtocol } from '../../../src/actors/transfers/protocol.ts';
import { Catalogue } from '../../../src/core/archive/catalogue.ts';
import { PassedBytes } from '../../../src/gateway/passed-bytes.ts';
import { createMetrics } from '../../../src/gateway/metrics.ts';
import { History } from '../../../src/gateway/status/history.ts';
import { Observer } from '../../../src/gateway/status/observe.ts';
import { RecentErrors } from '../../../src/gateway/status/recent-errors.ts';
import { Reporter } from '../../../src/gateway/status/report.ts';
import { spawn } from '../../../src/kernel/actor.ts';
import type { ActorRef } from '../../../src/kernel/protocol.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';

const BANNED = { address: '192.0.2.7:9989', client: '', down_bytes: 5, up_bytes: 0, banned: true };
const LINKED = { ...BANNED, address: '192.0.2.8:9989', banned: false };
const SWARM: PeersStatus = {
  listening: '[::]:9989',
  peers: [LINKED, BANNED],
  torrents: {},
  totals: { downBytes: 7000, upBytes: 9000, bans: 1 },
};

/** Parts of a daemon that answer these questions and no others; `swarm` says what its swarms do. */
function observe(t: Test, swarm: () => PeersStatus, clock: DatedClock = systemClock): Observer {
  const log = new Recorder();
  function part<P>(name: string, behaviour: object): ActorRef<P> {
    const actor = spawn({ name, behaviour, log });
    t.teardown(() => actor.stop());
    return actor.ref as ActorRef<P>;
  }
  return new Observer({
    transfers: part<TransfersProtocol>('transfers', {
      status: () => ({ transfers: [], totals: { hashFailures: 0, fromMirrorBytes: 0, fromPeersBytes: 7000 } }),
    }),
    store: part<StoreProtocol>('store', { stats: () => ({ files: 0, bytes: 0, limitBytes: 0 }) }),
    mirror: part<HttpBackupProtocol>('mirror', { stats: () => [] }),
    passed: new PassedBytes(),
    peers: part<PeersProtocol>('peers', { status: swarm }),
    clock,
  });
}

t.test('swarms that do not answer for a moment: nothing is counted twice', async (t) => {
  let busy = false;
  const observer = observe(t, () => {
    if (busy) throw new DebtorrentError('ASK_TIMEOUT', 'busy');
    return SWARM;
  });
  const history = new History(Date.now());
  const metrics = createMetrics();
  t.teardown(() => metrics.close());
  const reporter = new Reporter({
    version: 'test',
    catalogue: new Catalogue(),
    observer,
    metrics,
    history,
    recentErrors: new RecentErrors(Date.now),
    listening: () => '127.0.0.1:1',
  });
  for (const round of ['as they are', 'busy', 'as they are again']) {
    busy = round === 'busy';
    const { totals, lifetime, peering } = await reporter.now();
    t.equal(peering, busy ? 'silent' : 'on', round);
    t.match(totals, { uploaded_bytes: 9000, bans: 1 }, round);
    t.equal(lifetime.uploaded_bytes, 9000, round);
    await reporter.sample();
  }
  t.equal(history.toSave().lifetime.uploaded, 9000);
});

t.test('a peer that is banned is none of those that APT is told of', async (t) => {
  const observer = observe(t, () => SWARM);
  t.match(await observer.figures(), { peers: 1 });
});

t.test('what was seen is shown for the time it is recent, whatever the clock is set to', async (t) => {
  const clock = new ManualClock();
  const observer = observe(t, () => SWARM, clock);
  const before = await observer.lately(500);
  clock.ahead = 3_600_000;
  clock.advance(499);
  t.equal(await observer.lately(500), before);
  clock.ahead = -3_600_000;
  clock.advance(1);
  t.match(await observer.lately(500), { at: 500 - 3_600_000 });
});

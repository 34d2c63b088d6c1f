import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { NetworkWatch } from '../../../src/actors/discovery/network-watch.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { sleep, until } from '../../support/process.ts';
import { find, newTorrent } from './fixtures/found.ts';

t.test('an address that was not there before, and time that went by asleep, are noticed once', (t) => {
  const clock = new ManualClock();
  const it = { addresses: ['192.0.2.1'], timeOfDay: 0, changes: 0, lost: [] as unknown[] };
  const watch = new NetworkWatch({
    clock,
    addresses: () => it.addresses,
    timeOfDay: () => it.timeOfDay,
    changed: () => (it.changes += 1),
    lost: (addresses, others) => it.lost.push([...addresses, others]),
  });
  const changesIn = (ms: number) => {
    const before = it.changes;
    it.timeOfDay += ms;
    clock.advance(ms);
    return it.changes - before;
  };
  t.equal(changesIn(60_000), 0);
  it.addresses = ['192.0.2.1', '198.51.100.1'];
  t.equal(changesIn(60_000), 1);
  it.addresses = ['192.0.2.1', '198.51.100.1', 'fe80::1'];
  t.equal(changesIn(60_000), 0, 'the interface of a container');
  t.same(it.lost, []);
  it.addresses = [];
  t.equal(changesIn(60_000), 0, 'without a network there is nobody to tell');
  t.same(it.lost, [['192.0.2.1', '198.51.100.1', 'fe80::1', false]], 'they may be back in a moment');
  it.addresses = ['192.0.2.1'];
  t.equal(changesIn(60_000), 1, 'the cable is in again');
  it.addresses = ['192.0.2.2'];
  t.equal(changesIn(60_000), 1);
  t.same(it.lost.slice(1), [['192.0.2.1', true]]);
  it.timeOfDay += 600_000;
  t.equal(changesIn(60_000), 1, 'the clock of timers stood still while the machine slept');
  it.timeOfDay -= 600_000;
  t.equal(changesIn(60_000), 0, 'the time of day was set back');
  watch.stop();
  it.addresses = ['203.0.113.1'];
  t.equal(changesIn(60_000), 0);
  t.equal(clock.timers, 0);
  t.end();
});

/** A tracker that counts who asks, and the machine that asks it, whose clock and addresses the test has. */
async function scene(t: Test) {
  const it = { asked: 0, works: true, addresses: ['192.0.2.1'], moved: 0 };
  const server = createServer((_, answer) => {
    it.asked += 1;
    answer.writeHead(it.works ? 200 : 500).end('d8:intervali1800e5:peers0:e');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const clock = new ManualClock();
  const { port } = server.address() as AddressInfo;
  const finding = find(
    t,
    21_030,
    { trackers: [`http://127.0.0.1:${port}/announce`] },
    { clock, addresses: () => it.addresses, moved: () => (it.moved += 1) },
  );
  const state = async () => (await finding.discovery.behaviour.status()).sources[0]?.state;
  /** Time goes on until the tracker is asked once more, slowly: what is asked has to be answered in some seconds of it. */
  const asked = async () => {
    const before = it.asked;
    for (let step = 0; it.asked === before && step < 45; step++) {
      clock.advance(1_000);
      await sleep(50);
    }
    return it.asked - before;
  };
  return { it, clock, finding, state, asked };
}

t.test('trackers are told when this machine is at another address', async (t) => {
  const { it, clock, finding, state, asked } = await scene(t);
  finding.torrents(newTorrent());
  clock.advance(0);
  await until('announced', async () => (await state()) === 'working');
  clock.advance(90_000);
  t.equal(await asked(), 0, 'not before its time');
  it.addresses = ['192.0.2.2'];
  t.equal(await asked(), 1);
  t.equal(it.moved, 1);
  it.addresses = ['192.0.2.3'];
  t.equal(await asked(), 0, 'but once in a minute at most');
  t.equal(await asked(), 1, 'and then');
});

t.test('a tracker that was out of reach is asked when the network is back', async (t) => {
  const { it, clock, finding, state, asked } = await scene(t);
  it.works = false;
  finding.torrents(newTorrent());
  for (let step = 0; it.asked < 6 && step < 1_000; step++) {
    clock.advance(5_000);
    await sleep(10);
  }
  await sleep(200);
  t.equal(await state(), 'failing');
  it.works = true;
  t.equal(await asked(), 0, 'it is left alone for long by now');
  it.addresses = ['192.0.2.2'];
  t.equal(await asked(), 1);
  await until('it works', async () => (await state()) === 'working');
});

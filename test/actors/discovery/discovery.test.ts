import t from 'tap';
import { MAX_TORRENTS } from '../../../src/actors/discovery/protocol.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { spawn } from '../../../src/kernel/actor.ts';
import type { DiscoveryProtocol } from '../../../src/actors/discovery/protocol.ts';
import { find, newTorrent } from './fixtures/found.ts';

/** A clock that stands still until it is told. */
function handClock(): { clock: Clock; advance(ms: number): void } {
  let now = 0;
  const timers = new Map<object, { at: number; callback: () => void }>();
  const clock: Clock = {
    now: () => now,
    setTimeout(callback, ms) {
      const key = {};
      timers.set(key, { at: now + ms, callback });
      return { clear: () => void timers.delete(key) };
    },
  };
  return {
    clock,
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].callback();
      }
      now = end;
    },
  };
}

const PEERS = [
  { host: '192.0.2.7', port: 9989 },
  { host: 'peer.example.org', port: 443 },
];

t.test('fixed peers are reported for every torrent at once, and again at growing intervals', async (t) => {
  const { clock, advance } = handClock();
  const finding = find(t, 9989, { peers: PEERS }, { clock });
  const [one, two] = [newTorrent(), newTorrent()];
  finding.torrents(one);
  t.same(
    finding.found.map(({ address }) => address),
    ['192.0.2.7:9989', 'peer.example.org:443'],
  );
  advance(29_000);
  t.equal(finding.found.length, 2);
  finding.torrents(one, two);
  t.equal(finding.found.length, 4, 'the new torrent only');
  advance(30_000);
  t.equal(finding.found.length, 8);
  const rounds = [60_000, 120_000, 240_000, 300_000, 300_000];
  for (const wait of rounds) {
    const before = finding.found.length;
    advance(wait - 1);
    t.equal(finding.found.length, before);
    advance(1);
    t.equal(finding.found.length, before + 4, `after ${wait}`);
  }
  finding.torrents();
  const before = finding.found.length;
  advance(1_000_000);
  t.equal(finding.found.length, before);
});

t.test('this machine itself is not reported', async (t) => {
  const config = {
    peers: [
      { host: '127.0.0.1', port: 9989 },
      { host: '127.0.0.1', port: 9990 },
    ],
  };
  const finding = find(t, 9989, config);
  finding.torrents(newTorrent());
  t.same(
    finding.found.map(({ address }) => address),
    ['127.0.0.1:9990'],
  );
});

t.test('with nothing configured nothing is done, and nothing is open', async (t) => {
  const finding = find(t, 9989, {});
  finding.torrents(newTorrent());
  t.same(await finding.discovery.behaviour.status(), { torrents: 1, sources: [] });
});

t.test('no more torrents are worked on than a link lists', async (t) => {
  const finding = find(t, 9989, { peers: PEERS.slice(0, 1) });
  finding.torrents(...Array.from({ length: MAX_TORRENTS + 10 }, newTorrent));
  t.equal(finding.found.length, MAX_TORRENTS);
});

t.test('as an actor it takes torrents, says how it does, and stops', async (t) => {
  const finding = find(t, 9989, { peers: PEERS });
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const { behaviour, stop } = finding.discovery;
  const actor = spawn<DiscoveryProtocol>({ name: 'discovery', behaviour, log, stop });
  actor.ref.tell('torrents', [newTorrent()]);
  t.match(await actor.ref.ask('status'), { torrents: 1, sources: [{ via: 'fixed', found: 2 }] });
  await actor.stop();
});

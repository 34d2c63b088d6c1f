import t from 'tap';

import { Dialling } from '../../../src/actors/swarm/dialling.ts';
import type { InfoHash } from '../../../src/core/ids.ts';

const TORRENT = 'a'.repeat(40) as InfoHash;

/** Time that a test moves on by itself. */
function heldClock() {
  let now = 0;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => now,
    setTimeout(callback: () => void, ms: number) {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return { clear: () => void (timers = timers.filter((other) => other !== timer)) };
    },
    async pass(ms: number) {
      for (const end = now + ms; now < end; now += 250) {
        const due = timers.filter(({ at }) => at <= now);
        timers = timers.filter(({ at }) => at > now);
        for (const { callback } of due) callback();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

function scene(made: 'linked' | 'refused' | 'failed' | 'self', torrents = [TORRENT], isLinked = () => false) {
  const clock = heldClock();
  const dialled: number[] = [];
  const ends: (() => void)[] = [];
  const dialling = new Dialling({
    clock,
    random: () => 0.5,
    torrents: () => new Set(torrents),
    isLinked,
    dial({ port }) {
      dialled.push(port);
      return { made: Promise.resolve(made), ended: new Promise((resolve) => ends.push(resolve)) };
    },
  });
  return { clock, dialled, ends, dialling };
}

t.test('an address that fails is tried again', async (t) => {
  const { clock, dialled, dialling } = scene('failed');
  dialling.found(TORRENT, [{ host: '192.0.2.1', port: 1 }], true);
  await clock.pass(60_000);
  t.ok(dialled.length > 3, `${dialled.length} attempts in a minute`);
  dialling.stop();
  const before = dialled.length;
  await clock.pass(60_000);
  t.equal(dialled.length, before, 'and not after the end');
});

t.test('a fixed peer that refuses one torrent is asked for the next without waiting', async (t) => {
  const torrents = Array.from({ length: 5 }, (_, n) => String(n).repeat(40) as InfoHash);
  const { clock, dialled, dialling } = scene('refused', torrents);
  for (const torrent of torrents) dialling.found(torrent, [{ host: '192.0.2.1', port: 1 }], true);
  await clock.pass(500);
  t.equal(dialled.length, 5);
  await clock.pass(60_000);
  t.ok(dialled.length <= 40, `${dialled.length} attempts in a minute`);
  dialling.stop();
});

t.test('this machine itself is dialled once', async (t) => {
  const { clock, dialled, dialling } = scene('self');
  dialling.found(TORRENT, [{ host: '192.0.2.1', port: 1 }], true);
  await clock.pass(60_000);
  t.equal(dialled.length, 1);
  dialling.stop();
});

t.test('a peer is dialled again when its link has ended', async (t) => {
  const { clock, dialled, ends, dialling } = scene('linked');
  dialling.found(TORRENT, [{ host: '192.0.2.1', port: 1 }], false);
  await clock.pass(60_000);
  t.equal(dialled.length, 1);
  for (const end of ends) end();
  await clock.pass(60_000);
  t.equal(dialled.length, 2);
  dialling.stop();
});

t.test('80 links are opened, and those to fixed peers in any case', async (t) => {
  const { clock, dialled, dialling } = scene('linked');
  for (let port = 1; port <= 200; port++) dialling.found(TORRENT, [{ host: '192.0.2.1', port }], false);
  await clock.pass(60_000);
  t.equal(dialled.length, 80);
  dialling.found(TORRENT, [{ host: '192.0.2.2', port: 1_000 }], true);
  await clock.pass(2_000);
  t.equal(dialled.length, 81);
  t.equal(dialled.at(-1), 1_000);
  dialling.stop();
});

t.test('a peer that has opened a link itself is dialled when that has ended, however much later', async (t) => {
  let linked = true;
  const { clock, dialled, dialling } = scene('failed', [TORRENT], () => linked);
  dialling.found(TORRENT, [{ host: '192.0.2.1', port: 1 }], false);
  await clock.pass(900_000);
  t.strictSame(dialled, []);
  linked = false;
  await clock.pass(60_000);
  t.ok(dialled.length >= 1);
  dialling.stop();
});

import fc from 'fast-check';
import t from 'tap';

import { DialBook } from '../../../src/core/swarm/dial-book.ts';
import type { InfoHash } from '../../../src/core/ids.ts';

const A = 'a'.repeat(40) as InfoHash;
const B = 'b'.repeat(40) as InfoHash;
const own = new Set([A]);
const book = (maxEntries = 10) => new DialBook({ random: () => 0.5, maxEntries, maxDialling: 3 });
const address = (port: number) => ({ host: '192.0.2.1', port });

t.test('an address is dialled once at a time, for a torrent that this machine has', async (t) => {
  const dials = book();
  dials.found(B, [address(1)], false);
  t.same(dials.due(0, own, 10), [], 'not for the torrent of others');
  dials.found(A, [address(1)], false);
  t.same(dials.due(0, own, 10), [{ ...address(1), torrent: A }]);
  t.same(dials.due(0, own, 10), []);
  dials.linked(address(1), 0);
  t.same(dials.due(1e9, own, 10), [], 'nor while it is linked');
});

t.test('what fails is tried again later and later, and given up unless the configuration names it', async (t) => {
  for (const fixed of [false, true]) {
    const dials = book();
    dials.found(A, [address(1)], fixed);
    let now = 0;
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      const start = now;
      while (dials.due(now, own, 1).length === 0 && now < start + 3_600_000) now += 250;
      if (now >= start + 3_600_000) break;
      waits.push(now - start);
      dials.ended(address(1), now);
    }
    t.equal(waits.length, fixed ? 12 : 7);
    t.ok(
      waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] as number)),
      `${waits.join(' ')} never shrink`,
    );
    if (fixed) t.ok((waits.at(-1) as number) <= 40_000, 'a fixed peer is asked about twice a minute');
  }
});

t.test(
  'a peer that does not share one torrent is asked for the others, one of the configuration at once',
  async (t) => {
    const [C, torrents] = ['c'.repeat(40) as InfoHash, new Set<InfoHash>()];
    for (const fixed of [true, false]) {
      const dials = book();
      for (const id of [A, B, C]) dials.found(torrents.add(id) && id, [address(1)], fixed);
      const named: InfoHash[] = [];
      const waits: number[] = [];
      for (let now = 0, last = 0; named.length < 7; now += 250) {
        for (const dial of dials.due(now, torrents, 1)) {
          named.push(dial.torrent);
          waits.push(now - last);
          last = now;
          dials.refused(dial, torrents, now);
        }
      }
      t.same(named, [A, B, C, A, B, C, A]);
      const atOnce = waits.map((wait) => wait <= 250);
      t.same(atOnce, fixed ? [true, true, true, false, true, true, false] : [true, ...Array<boolean>(6).fill(false)]);
    }
  },
);

t.test('a million addresses cost a bounded book and a bounded number of attempts', async (t) => {
  const dials = book(100);
  for (let port = 1; port <= 65_535; port++) dials.found(A, [address(port)], false);
  t.equal(dials.size, 100);
  t.equal(dials.due(0, own, 50).length, 3);
  dials.found(A, [{ host: '192.0.2.9', port: 9 }], true);
  t.equal(dials.size, 101, 'fixed peers always have room');
});

t.test('addresses of the configuration come first, without room too, and leave half of the attempts to others', (t) => {
  const dials = book();
  const ports = () => dials.due(1_000_000, own, 0).map(({ port }) => port);
  for (let port = 1; port <= 4; port++) dials.found(A, [address(port)], false);
  t.same(ports(), []);
  for (let port = 5; port <= 9; port++) dials.found(A, [address(port)], true);
  t.same(ports(), [5, 6]);
  t.same(
    dials.due(1_000_000, own, 4).map(({ port }) => port),
    [1],
  );
  dials.linked(address(1), 0);
  dials.linked(address(5), 0);
  t.equal(dials.taken, 3);
  t.same(ports(), [7]);
  t.end();
});

t.test('there is never more under way than allowed, whatever happens', async () => {
  const event = fc.record({ kind: fc.constantFrom('found', 'due', 'linked', 'ended', 'forget'), port: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const dials = book();
      const open = new Set<number>();
      let now = 0;
      for (const { kind, port } of events) {
        now += 10_000;
        if (kind === 'found') dials.found(A, [address(port)], port % 2 === 0);
        if (kind === 'linked') dials.linked(address(port), now);
        if (kind === 'ended') dials.ended(address(port), now);
        if (kind === 'forget') dials.forget(address(port));
        if (kind === 'linked' || kind === 'ended' || kind === 'forget') open.delete(port);
        if (kind === 'due') for (const dial of dials.due(now, own, 5)) open.add(dial.port);
        if (open.size > 3) return false;
      }
      return true;
    }),
  );
});

/** When it is dialled in the next so many hours, in seconds. */
function attempts(dials: DialBook, from: number, hours: number): number[] {
  const all: number[] = [];
  for (let now = from; now < from + hours * 3_600_000; now += 1_000) {
    if (dials.due(now, own, 1).length === 0) continue;
    all.push((now - from) / 1_000);
    dials.ended(address(1), now);
  }
  return all;
}

t.test('who was linked for some time is tried for longer than who never answered', (t) => {
  const [met, unmet] = [book(), book()];
  for (const dials of [met, unmet]) {
    dials.found(A, [address(1)], false);
    dials.due(0, own, 1);
  }
  unmet.ended(address(1), 0);
  t.ok((attempts(unmet, 0, 24).at(-1) ?? Infinity) < 180);
  t.equal(unmet.size, 0);
  met.linked(address(1), 0);
  met.ended(address(1), 600_000);
  const tries = attempts(met, 600_000, 24);
  t.ok((tries[0] ?? Infinity) <= 3, 'soon');
  t.ok((tries.at(-1) ?? 0) > 3_600, `also after an hour: ${tries.join(' ')}`);
  t.ok(tries.length <= 12, 'and not for ever');
  t.equal(met.size, 0);
  t.end();
});

t.test('who lets in and closes at once is dialled later and later', (t) => {
  const dials = book();
  dials.found(A, [address(1)], false);
  let links = 0;
  for (let now = 0; now < 600_000; now += 1_000) {
    if (dials.due(now, own, 1).length === 0) continue;
    links += 1;
    dials.linked(address(1), now);
    dials.ended(address(1), now + 100);
  }
  t.ok(links >= 4 && links <= 9, `${links} links in ten minutes`);
  t.end();
});

t.test('on another network peers that are known are dialled soon, strangers when they are due', (t) => {
  const dials = book();
  for (const port of [1, 2]) dials.found(A, [address(port)], false);
  dials.due(0, own, 10);
  dials.linked(address(1), 0);
  dials.ended(address(1), 60_000);
  dials.ended(address(2), 60_000);
  let now = 60_000;
  for (let failures = 0; failures < 5; now += 1_000) {
    for (const dial of dials.due(now, own, 10)) {
      dials.ended(dial, now);
      if (dial.port === 1) failures += 1;
    }
  }
  t.same(dials.due(now + 10_000, own, 10), []);
  dials.renew(now);
  t.same(
    dials.due(now + 3_000, own, 10).map(({ port }) => port),
    [1],
  );
  t.end();
});

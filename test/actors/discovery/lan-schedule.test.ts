import t from 'tap';
import { GATHER_MS, LanSchedule, ROUND_MS } from '../../../src/actors/discovery/lan-schedule.ts';
import { newTorrent } from './fixtures/found.ts';

/** Times at which each torrent is announced until `end`, as the finder does it. */
function play(schedule: LanSchedule, from: number, end: number): Map<string, number[]> {
  const times = new Map<string, number[]>();
  let now = from;
  for (let next = schedule.next(); next !== undefined && next <= end; next = schedule.next()) {
    now = Math.max(now, next);
    for (const id of schedule.take(now, ROUND_MS)) times.set(id, [...(times.get(id) ?? []), now]);
  }
  return times;
}

t.test('a new torrent is announced at once, after 2 s and 10 s, then every 5 minutes', async (t) => {
  const schedule = new LanSchedule();
  const id = newTorrent();
  schedule.set([id], 0);
  const first = GATHER_MS;
  const expected = [first, first + 2_000, first + 10_000, first + 10_000 + ROUND_MS, first + 10_000 + 2 * ROUND_MS];
  t.same(play(schedule, 0, 650_000).get(id), expected);
});

t.test('torrents that become known together are announced together', async (t) => {
  const schedule = new LanSchedule();
  const [one, two, three] = [newTorrent(), newTorrent(), newTorrent()];
  schedule.set([one], 0);
  schedule.set([one, two], 150);
  t.same(schedule.take(GATHER_MS, ROUND_MS), [one, two]);
  schedule.set([one, two, three], 5_000);
  const times = play(schedule, 5_000, 20_000);
  t.same(times.get(three), [5_000, 7_000, 15_000]);
  t.equal(times.get(one)?.length, 2, 'the others keep their times');
});

t.test('a torrent that comes and goes is not announced more often for it', async (t) => {
  const schedule = new LanSchedule();
  const id = newTorrent();
  let announced = 0;
  for (let now = 0; now < 60_000; now += 500) {
    schedule.set((now / 500) % 2 === 0 ? [id] : [], now);
    const next = schedule.next();
    if (next !== undefined && next <= now + GATHER_MS) announced += schedule.take(now + GATHER_MS, ROUND_MS).length;
  }
  t.equal(announced, 3);
});

t.test('what is gone is not announced', async (t) => {
  const schedule = new LanSchedule();
  schedule.set([newTorrent()], 0);
  schedule.set([], 1);
  t.equal(schedule.next(), undefined);
  t.same(schedule.take(1_000_000, ROUND_MS), []);
});

t.test('on a new network all is announced again, but not twice in a minute', async (t) => {
  const schedule = new LanSchedule();
  const [old, young, newest] = [newTorrent(), newTorrent(), newTorrent()];
  schedule.set([old], 0);
  play(schedule, 0, 20_000);
  schedule.set([old, young], 100_000);
  play(schedule, 100_000, 115_000);
  schedule.renew(120_000);
  const times = play(schedule, 120_000, 190_000);
  t.same(times.get(old), [120_000, 122_000, 130_000]);
  t.same(times.get(young), [170_200, 172_200, 180_200], 'when the minute is over');
  schedule.set([old, young, newest], 400_000);
  play(schedule, 400_000, 401_000);
  schedule.renew(401_000);
  t.same(play(schedule, 401_000, 480_000).get(newest), [402_200, 410_200], 'once for all who are there by then');
});

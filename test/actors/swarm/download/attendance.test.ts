import t from 'tap';

import { Attendance } from '../../../../src/actors/swarm/download/attendance.ts';
import type { FakePeer } from './fake-peer.ts';
import { content, MIB, scene, type Scene } from './scene.ts';

const files = Array.from({ length: 20 }, (_, n) => content(`file ${n}`, 1_000 + n));

/** Nothing of the peer comes any more, as of a machine that lost power. */
function dies(it: Scene, peer: FakePeer): void {
  Object.assign(peer, { silentSince: it.clock.now(), mute: true, stalls: true });
}

function lives(peer: FakePeer): void {
  Object.assign(peer, { silentSince: undefined, mute: false, stalls: false });
}

/** Asks for all files, one after the other, and says how many milliseconds each waited. */
async function waits(it: Scene, first = 1): Promise<number[]> {
  const all: number[] = [];
  for (const [at, file] of files.entries()) {
    const asked = it.clock.now();
    await it.settled(it.downloads.seek(it.wanted(file, first + at)));
    all.push(it.clock.now() - asked);
    it.downloads.over(first + at, true);
  }
  return all;
}

t.test('a peer that is silent is waited for a few times, not for each file', async (t) => {
  const it = scene();
  const peer = it.peer('dead');
  t.ok(Math.max(...(await waits(it))) < 10);
  dies(it, peer);
  const waited = await waits(it, 100);
  t.ok((waited[0] ?? 0) >= 45, 'it may answer yet');
  t.ok(waited.filter((ms) => ms >= 40).length <= 5, String(waited));
  t.ok((waited.at(-1) ?? 50) < 10);
  lives(peer);
  await it.settled(it.downloads.seek(it.wanted(content('another', 1_000), 200)));
  peer.mute = true;
  t.ok(
    (await waits(it, 300)).every((ms) => ms >= 45),
    'it is heard, so it may answer',
  );
  await it.stop();
});

t.test('with one who is silent the others decide how long it takes', async (t) => {
  const it = scene();
  const dead = it.peer('dead');
  it.peer('living').latency = 7;
  await waits(it);
  dies(it, dead);
  const waited = await waits(it, 100);
  t.ok(
    waited.slice(10).every((ms) => ms < 20),
    String(waited),
  );
  await it.stop();
});

t.test('what a peer says that was given up counts as what others say', async (t) => {
  const it = scene();
  const file = content('wanted', 60_000);
  const peer = it.peer('sleeper', [file]);
  await waits(it);
  dies(it, peer);
  await waits(it, 100);
  const wanted = it.wanted(file, 200);
  const view = await it.settled(it.downloads.seek(wanted));
  t.strictSame([view.asked, view.unanswered, view.available], [1, false, []], 'it is asked and not waited for');
  lives(peer);
  const number = peer.numberOf(file.sha256) ?? 0;
  peer.says({ type: 'offer', file: number, base: 9_000, pieces: 1 });
  it.downloads.allowedFast(peer, 9_000);
  await it.until(() => it.views.get(200)?.available.length === 1);
  await it.stop();
});

t.test('nothing is left to a peer that is silent, though it wanted the same', async (t) => {
  const it = scene();
  const peer = it.peer('dead');
  await waits(it);
  it.wanters.add(peer);
  dies(it, peer);
  const wanted = it.wanted(content('before', 8 * MIB), 50);
  t.ok((await it.settled(it.downloads.seek(wanted))).elsewhere.length > 0, 'it may be taking its part');
  const began = it.clock.now();
  await waits(it, 100);
  await it.until(() => it.views.get(50)?.elsewhere.length === 0);
  t.ok(it.clock.now() - began < 400, `after ${it.clock.now() - began} ms`);
  const after = it.wanted(content('after', 8 * MIB), 51);
  const view = await it.settled(it.downloads.seek(after));
  t.strictSame([view.elsewhere, view.wanters], [[], 0]);
  lives(peer);
  peer.says({ type: 'none', files: [peer.numberOf(after.sha256) ?? 0] });
  await it.until(() => it.views.get(51)?.wanters === 1 && it.views.get(51)?.elsewhere.length !== 0);
  await it.stop();
});

t.test('an answer may take as long as answers of this peer take, and a second at most', (t) => {
  const patience = (...answers: number[]) => {
    const attendance = new Attendance();
    for (const ms of answers) attendance.answered(ms);
    attendance.asked(1_000, 999);
    for (let ms = 0; ; ms += 10) if (attendance.missing(1_000 + ms, 999)) return ms;
  };
  t.equal(patience(), 400, 'nothing is known of it');
  t.equal(patience(2, 3, 2), 150);
  t.equal(patience(2, 90, 2), 330);
  t.equal(patience(2, 90, ...Array.from({ length: 50 }, () => 2)), 150);
  t.equal(patience(600_000), 1_000);
  t.end();
});

t.test('any byte counts, and who keeps silent for longer than keep-alives take is absent', (t) => {
  const attendance = new Attendance();
  attendance.asked(1_000, 900);
  t.notOk(attendance.missing(9_000, 8_900), 'something came since');
  attendance.asked(9_000, 8_900);
  t.notOk(attendance.absent(8_900));
  t.ok(attendance.missing(9_400, 8_900));
  t.notOk(attendance.missing(9_500, 8_900), 'that is known');
  t.ok(attendance.absent(8_900));
  t.notOk(attendance.absent(9_600));
  attendance.asked(70_000, 9_600);
  t.notOk(attendance.absent(9_600));
  attendance.asked(90_000, 9_600);
  t.ok(attendance.absent(9_600));
  t.end();
});

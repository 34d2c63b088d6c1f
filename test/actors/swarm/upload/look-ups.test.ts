/** How often peers have this machine ask its store: what an update needs at once, what goes on for ever slowly. */
import t from 'tap';

import type { Sha256 } from '../../../../src/core/ids.ts';
import type { FakeLink } from './fake-link.ts';
import { TORRENT, uploadScene, type UploadScene } from './upload-scene.ts';

const BURST = 4_096;
const A_SECOND = 256;

let last = 0;

/** Files that are in a torrent in common, and not here. */
function published(s: UploadScene, count: number): { sha256: Sha256; size: number }[] {
  return Array.from({ length: count }, () => {
    const file = { sha256: (++last).toString(16).padStart(64, '0') as Sha256, size: 1000 };
    s.catalogue.set(file.sha256, { size: file.size, torrents: [TORRENT] });
    return file;
  });
}

const nones = (link: FakeLink) => link.of('none').flatMap(({ files }) => files).length;

/** Wants as many new files, in messages of the usual size, and ends these wants when they are answered. */
async function wantAndLeave(s: UploadScene, link: FakeLink, count: number): Promise<void> {
  const before = nones(link);
  const files: number[] = [];
  while (files.length < count) files.push(...s.want(link, ...published(s, Math.min(64, count - files.length))));
  while (nones(link) < before + count) {
    await new Promise(setImmediate);
    // Answers that say none wait for more of them while there are questions.
    if (nones(link) < before + count) s.clock.advance(1);
  }
  s.uploads.message(link, { type: 'unwant', files });
}

t.test('two thousand files that are wanted at once are looked up at once', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  for (const files of [published(s, 1_000), published(s, 1_000)]) {
    const before = nones(link);
    const numbers: number[] = [];
    for (let n = 0; n < files.length; n += 64) numbers.push(...s.want(link, ...files.slice(n, n + 64)));
    await link.until(() => nones(link) === before + files.length);
    s.uploads.message(link, { type: 'unwant', files: numbers });
  }
  t.equal(s.looked.length, 2_000, 'and no time has passed');
  t.strictSame(s.bans, []);
});

t.test('who goes on wanting what is not here has it looked up slowly, over new links too', async (t) => {
  const s = await uploadScene(t);
  const begun = s.clock.now();
  for (let n = 0; n < 200; n++) {
    const link = s.link();
    await wantAndLeave(s, link, 128);
    s.uploads.linkClosed(link);
    s.clock.advance(50);
  }
  const seconds = (s.clock.now() - begun) / 1000;
  t.ok(seconds < 30);
  t.ok(s.looked.length <= BURST + seconds * A_SECOND, `${s.looked.length} of ${200 * 128} were looked up`);
  t.ok(s.looked.length >= BURST);
  t.strictSame(s.bans, [], 'it costs the peer nothing else');

  const other = s.link([TORRENT], '192.0.2.2');
  const before = s.looked.length;
  await wantAndLeave(s, other, 1_000);
  t.equal(s.looked.length - before, 1_000, 'another address has its own pace');
});

t.test('addresses of one IPv6 network have a pace together', async (t) => {
  const s = await uploadScene(t);
  for (let n = 0; n < 36; n++) await wantAndLeave(s, s.link([TORRENT], `2001:db8::${n + 1}`), 1_000);
  const most = 8 * (BURST + (s.clock.now() / 1000) * A_SECOND);
  t.ok(s.looked.length >= 8 * BURST && s.looked.length <= most, `${s.looked.length} of 36,000 were looked up`);
});

t.test('beyond the pace it is none at first, and an offer follows when the file is found', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('here', 100);
  const link = s.link();
  for (let n = 0; n < 5; n++) await wantAndLeave(s, link, 1_000);
  const before = nones(link);
  const [number] = s.want(link, ...published(s, 63), file).slice(-1);
  t.ok(nones(link) > before, 'at once');
  for (let ms = 0; ms < 1_000 && link.of('offer').length === 0; ms += 50) {
    s.clock.advance(50);
    await new Promise(setImmediate);
  }
  await link.until(() => link.of('offer').length === 1);
  t.equal(link.of('offer')[0]?.file, number);
  s.uploads.linkClosed(link);
  s.clock.advance(1_000);
  t.equal(s.clock.timers, 0, 'no timer is left');
});

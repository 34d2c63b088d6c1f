import t from 'tap';

import type { Sha256 } from '../../../../src/core/ids.ts';
import { Bitmap } from '../../../../src/core/swarm/bitmap.ts';
import { PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { uploadScene } from './upload-scene.ts';

const unknown = (n: number) => ({ sha256: n.toString(16).padStart(64, 'f') as Sha256, size: 1000 });

t.test('a million wants end the link at the first too many', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  let sent = 0;
  while (sent < 1_000_000 && link.closed === undefined) {
    s.want(link, ...Array.from({ length: 64 }, () => unknown(sent++)));
  }
  t.equal(sent, 1024 + 64);
  t.match(s.bans, [[link, { kind: 'flood', message: /wants/ }]]);
  t.equal(link.of('none').flatMap(({ files }) => files).length, 1024);
  t.strictSame(s.looked, []);
});

t.test('wants that are ended at once have a bound a second', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  let sent = 0;
  while (sent < 1_000_000 && link.closed === undefined) {
    const files = s.want(link, ...Array.from({ length: 64 }, () => unknown(sent++)));
    s.uploads.message(link, { type: 'unwant', files });
  }
  t.ok(sent < 20_000, `${sent} wants`);
  t.match(s.bans, [[link, { kind: 'flood' }]]);
});

t.test('two wants with one number are a fault', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  const files = [1, 1].map((file) => ({ file, ...unknown(file) }));
  s.uploads.message(link, { type: 'want', files });
  t.match(s.bans, [[link, { kind: 'protocol', message: /number 1/ }]]);
});

t.test('unwanting what is not wanted does nothing', async (t) => {
  const s = await uploadScene(t);
  const link = s.link();
  s.uploads.message(link, { type: 'unwant', files: Array.from({ length: 1024 }, (_, n) => n) });
  t.strictSame(s.bans, []);
  t.equal(link.sent.length, 1, 'but the unchoke');
});

for (const [what, block] of [
  ['an index that was never leased', { index: 3, offset: 0, length: 16_384 }],
  ['an index beyond all leases', { index: 2 ** 32 - 1, offset: 0, length: 16_384 }],
  ['bytes beyond the piece', { index: 1, offset: PIECE_BYTES - 16_384, length: 32_768 }],
  ['bytes beyond the end of the file', { index: 2, offset: 0, length: 16_384 }],
  ['more than the most', { index: 0, offset: 0, length: 512 * 1024 + 1 }],
  ['less than is allowed', { index: 0, offset: 0, length: 16_383 }],
  ['nothing', { index: 0, offset: 0, length: 0 }],
] as const) {
  t.test(`asking for ${what} ends the link`, async (t) => {
    const s = await uploadScene(t);
    const file = s.store('file', 2 * PIECE_BYTES + 16_383);
    const link = s.link();
    t.equal(await s.leased(link, file), 0);
    s.ask(link, block.index, block.offset, block.length);
    t.match(s.bans, [[link, { kind: 'protocol', message: /^asks for/ }]]);
  });
}

t.test('the last bytes of a piece and of a file may be few', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 2 * PIECE_BYTES + 1);
  const link = s.link();
  await s.leased(link, file);
  s.ask(link, 2, 0, 1);
  s.ask(link, 0, PIECE_BYTES - 1, 1);
  await link.until(() => link.open.size === 0);
  t.equal(link.of('piece').length, 2);
});

t.test('many wants for one file get one offer: its pieces are announced once', async (t) => {
  const s = await uploadScene(t);
  const file = s.publish('file', 64 * PIECE_BYTES);
  const link = s.link();
  for (let n = 0; n < 16; n++) s.want(link, ...Array.from({ length: 64 }, () => file));
  const first = new Bitmap(64);
  first.set(0);
  s.uploads.partial(file.sha256, file.size, file.path, first);
  s.uploads.verified(file.sha256, file.size, file.path, file.path);
  t.equal(link.of('offer').length, 1);
  t.equal(link.of('have').length, 63);
});

t.test('second wants of a file are none, and cost nothing whatever happens to it', async (t) => {
  let asked = 0;
  const s = await uploadScene(t, {
    content: (sha256) => {
      asked += 1;
      return s.catalogue.get(sha256);
    },
  });
  const file = s.publish('file', 64 * PIECE_BYTES);
  const links = [s.link(), s.link()];
  const numbers = links.map((link) => {
    const wants = Array.from({ length: 16 }, () => s.want(link, ...Array.from({ length: 64 }, () => file)));
    return wants.flat();
  });
  t.equal(asked, 2, 'the catalogue is asked once for each peer');
  s.uploads.catalogueChanged();
  t.equal(asked, 4);
  const [link] = links;
  s.uploads.message(link as NonNullable<typeof link>, { type: 'unwant', files: numbers[0]?.slice(1) ?? [] });
  t.strictSame(s.uploads.wantersOf(file.sha256), links, 'the end of a second want is not the end of the first');
  t.strictSame(
    s.wantChanges.map(([, , wanting]) => wanting),
    [true, true],
  );
});

t.test('torrents that change all the time are looked at once a second', async (t) => {
  let asked = 0;
  const s = await uploadScene(t, {
    content: () => {
      asked += 1;
      return undefined;
    },
  });
  const link = s.link();
  for (let n = 0; n < 16; n++) s.want(link, ...Array.from({ length: 64 }, (_, at) => unknown(n * 64 + at)));
  asked = 0;
  for (let n = 0; n < 1000; n++) {
    s.uploads.torrentsChanged(link);
    s.clock.advance(5);
  }
  t.ok(asked <= 6 * 1024, `${asked} look-ups in 5 s`);
  t.ok(asked >= 4 * 1024);
});

import t from 'tap';

import { BLOCK_BYTES, PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { TokenBucket } from '../../../../src/core/swarm/token-bucket.ts';
import { uploadScene } from './upload-scene.ts';

t.test('without a limit everybody is unchoked from the first moment', async (t) => {
  const s = await uploadScene(t);
  const links = Array.from({ length: 40 }, () => s.link());
  for (const link of links) {
    t.strictSame(link.of('choke'), [{ type: 'choke', choking: false }]);
    link.peerInterested = true;
    s.uploads.interested(link);
  }
  s.clock.advance(60_000);
  t.ok(links.every((link) => link.of('choke').length === 1));
});

t.test('with a limit eight have slots, the others come in turn', async (t) => {
  const s = await uploadScene(t, { limit: new TokenBucket({ rate: 1_000_000 }) });
  const links = Array.from({ length: 12 }, () => s.link());
  for (const link of links) {
    link.peerInterested = true;
    s.uploads.interested(link);
  }
  const served = new Set<string>();
  for (let round = 0; round < 20; round++) {
    s.clock.advance(10_000);
    const open = links.filter((link) => !link.amChoking);
    t.equal(open.length, 8);
    for (const link of open) {
      served.add(link.name);
      link.upBytes += 1_000_000;
    }
  }
  t.equal(served.size, 12);
});

t.test('a choke rejects what needs a slot, and serves what is allowed fast', async (t) => {
  const s = await uploadScene(t, { limit: new TokenBucket({ rate: 1_000_000 }) });
  const [small, large] = [s.store('small', 100_000), s.store('large', 2 * PIECE_BYTES)];
  const link = s.link();
  link.peerInterested = true;
  s.uploads.interested(link);
  const others = Array.from({ length: 8 }, () => s.link());
  for (const [at, other] of others.entries()) {
    other.peerInterested = true;
    s.uploads.interested(other);
    // Seven of them give, and will have the slots.
    other.downBytes = at < 7 ? 1_000_000 : 0;
  }
  const one = await s.leased(link, small);
  const two = await s.leased(link, large);
  t.strictSame(link.of('allow-fast'), [{ type: 'allow-fast', index: one }]);
  link.room = 0;
  s.ask(link, one, 0, 100_000);
  s.askAll(link, two, large.size);
  s.clock.advance(10_000);
  t.notOk(link.amChoking, 'one of two who give nothing is tried');
  s.clock.advance(30_000);
  t.ok(link.amChoking, 'then the other');
  t.equal(link.of('reject').length, 16);
  const order = link.sent.slice(-17).map(({ type }) => type);
  t.strictSame(order, ['choke', ...order.slice(1).fill('reject')], 'a reject before it would take a promise back');
  t.equal(link.open.size, 1);
  s.ask(link, two, 0, BLOCK_BYTES);
  t.equal(link.of('reject').length, 17, 'as is what comes while it is choked');
  link.room = Infinity;
  s.uploads.drained(link);
  await link.until(() => link.open.size === 0);
  t.ok(link.of('piece')[0]?.data.equals(small.data));
});

t.test('64 small files are allowed fast at a time; the next ones follow as the first are done', async (t) => {
  const s = await uploadScene(t);
  const files = Array.from({ length: 70 }, (_, n) => s.store(`f${n}`, 10));
  const link = s.link();
  const numbers = s.want(link, ...files);
  await link.until(() => link.of('offer').length === 70);
  t.equal(link.of('allow-fast').length, 64);
  s.uploads.message(link, { type: 'unwant', files: numbers.slice(0, 3) });
  t.strictSame(
    link.of('disallow-fast').map(({ index }) => index),
    [0, 1, 2],
  );
  t.strictSame(
    link
      .of('allow-fast')
      .slice(64)
      .map(({ index }) => index),
    [64, 65, 66],
  );
  const order = link.sent.findIndex((sent) => sent.type === 'disallow-fast' && sent.index === 0);
  t.ok(order < link.sent.findIndex((sent) => sent.type === 'allow-fast' && sent.index === 64));
});

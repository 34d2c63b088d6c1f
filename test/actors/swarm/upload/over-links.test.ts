/** Uploads over real links: what holds with links in memory holds on the wire. */
import { randomBytes as random } from 'node:crypto';

import t, { type Test } from 'tap';

import { systemClock } from '../../../../src/core/clock.ts';
import { BLOCK_BYTES, PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { TokenBucket } from '../../../../src/core/swarm/token-bucket.ts';
import { BlockPool } from '../../../../src/actors/swarm/block-pool.ts';
import { createLinks } from '../../../../src/actors/swarm/link/links.ts';
import type { BlockRef, Link, LinkHandler } from '../../../../src/actors/swarm/link/link.ts';
import { Recorder } from '../../../kernel/fixtures/recorder.ts';
import { until } from '../link/fixtures/pair.ts';
import { TORRENT, uploadScene, type Content, type UploadScene } from './upload-scene.ts';

const IGNORE: LinkHandler = {
  message() {},
  have() {},
  block() {},
  rejected() {},
  timedOut() {},
  requested() {},
  cancelled() {},
  choked() {},
  interested() {},
  allowedFast() {},
  drained() {},
  torrents() {},
  exchanged() {},
  closed() {},
};

/** A link whose other end is served by the scene's uploads. */
async function linked(t: Test, s: UploadScene, handler: Partial<LinkHandler>): Promise<Link> {
  const log = new Recorder();
  const { uploads } = s;
  const seeder = createLinks({
    blocks: new BlockPool(),
    log,
    clock: systemClock,
    client: 'seeder',
    random,
    onLink(link) {
      uploads.linkOpened(link);
      return {
        ...IGNORE,
        message(message) {
          if (message.type === 'want' || message.type === 'unwant' || message.type === 'tree-request') {
            uploads.message(link, message);
          }
        },
        requested: (block) => uploads.requested(link, block),
        cancelled: (block) => uploads.cancelled(link, block),
        interested: () => uploads.interested(link),
        drained: () => uploads.drained(link),
        closed: () => uploads.linkClosed(link),
      };
    },
  });
  const leecher = createLinks({
    blocks: new BlockPool(),
    log,
    clock: systemClock,
    client: 'leecher',
    random,
    onLink: () => ({ ...IGNORE, ...handler }),
  });
  t.teardown(async () => {
    await leecher.stop();
    await seeder.stop();
  });
  for (const links of [seeder, leecher]) links.setTorrents([TORRENT]);
  const { port } = await seeder.listen('127.0.0.1', 0);
  const outcome = await leecher.dial('127.0.0.1', port, TORRENT);
  if (outcome.kind !== 'linked') throw new Error(JSON.stringify(outcome));
  return outcome.link;
}

const want = (link: Link, { sha256, size }: Content) => link.send({ type: 'want', files: [{ file: 1, sha256, size }] });

t.test('a file arrives over a socket with 64 requests open, some of them cancelled', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 24 * PIECE_BYTES + 5_000);
  const got = Buffer.alloc(file.size);
  const left: BlockRef[] = [];
  for (let at = 0; at < file.size; at += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, file.size - at);
    left.push({ index: Math.floor(at / PIECE_BYTES), offset: at % PIECE_BYTES, length });
  }
  let toCancel = 8;
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    let link: Link | undefined;
    const more = () => {
      while (link !== undefined && left.length > 0 && link.outstanding < 64) {
        const block = left[0] as BlockRef;
        if (!link.request(block)) return;
        left.shift();
        if (toCancel === 0 || left.length % 20 !== 7) continue;
        // It is asked for again when everything else has been.
        toCancel -= 1;
        link.cancel(block);
        left.push(block);
      }
    };
    void linked(t, s, {
      message: (message) => message.type === 'offer' && more(),
      choked: more,
      block(block, data) {
        data.copy(got, block.index * PIECE_BYTES + block.offset);
        bytes += data.length;
        if (bytes === file.size) resolve();
        more();
      },
      rejected: () => reject(new Error('rejected')),
      closed: ({ message }) => reject(new Error(message)),
    }).then((opened) => {
      link = opened;
      want(link, file);
    }, reject);
  });
  t.ok(got.equals(file.data));
});

t.test('a choke goes before its rejects, and the same blocks may be asked for after the next unchoke', async (t) => {
  const s = await uploadScene(t, { limit: new TokenBucket({ rate: 1_000_000 }) });
  const [file, other] = [s.store('file', 8 * PIECE_BYTES), s.store('other', 2 * PIECE_BYTES)];
  const blocks = Array.from({ length: 24 }, (_, at): BlockRef => {
    return { index: Math.floor(at / 8), offset: (at % 8) * BLOCK_BYTES, length: BLOCK_BYTES };
  });
  const heard: string[] = [];
  const rejected: BlockRef[] = [];
  const got: BlockRef[] = [];
  const link = await linked(t, s, {
    message: ({ type }) => heard.push(type),
    choked: (choked) => heard.push(choked ? 'choke' : 'unchoke'),
    block(block) {
      heard.push('piece');
      got.push(block);
    },
    rejected(block) {
      heard.push('reject');
      rejected.push(block);
    },
  });
  want(link, file);
  await until(() => heard.includes('offer') && !link.peerChoking, 'an offer and an unchoke');
  for (const block of blocks) t.ok(link.request(block));
  link.send({ type: 'want', files: [{ file: 2, sha256: other.sha256, size: other.size }] });
  await until(() => heard.filter((type) => type === 'offer').length === 2, 'what was asked before has been read');
  await until(() => got.length === 1, 'what the limit lets through');
  const rivals = Array.from({ length: 12 }, () => s.link());
  for (const rival of rivals) Object.assign(rival, { peerInterested: true, downBytes: 1_000_000 });
  link.interest(true);
  link.send({ type: 'unwant', files: [2] });
  link.send({ type: 'want', files: [{ file: 3, sha256: other.sha256, size: other.size }] });
  await until(() => heard.filter((type) => type === 'offer').length === 3, 'it is known to be interested');
  heard.length = 0;
  s.clock.advance(10_000);
  await until(() => rejected.length + got.length === blocks.length, 'all are answered');
  t.ok(rejected.length >= 16);
  const from = heard.indexOf('reject');
  t.equal(heard[from - 1], 'choke');
  t.ok(heard.slice(from).every((type) => type === 'reject'));

  for (const rival of rivals) rival.peerInterested = false;
  s.clock.advance(10_000);
  await until(() => !link.peerChoking, 'unchoked');
  const again = [...rejected];
  for (const block of again) t.ok(link.request(block));
  await until(() => {
    s.clock.advance(100);
    return got.length === blocks.length;
  }, 'the rest');
  t.equal(rejected.length, again.length, 'none of them is refused');
});

t.test('asking for what was never leased ends the link', async (t) => {
  const s = await uploadScene(t);
  const file = s.store('file', 100);
  const ended = new Promise<string>((resolve) => {
    void linked(t, s, {
      allowedFast(index) {
        t.equal(index, 0);
        link?.request({ index: 1, offset: 0, length: 16_384 });
      },
      closed: ({ kind }) => resolve(kind),
    }).then((opened) => {
      link = opened;
      want(opened, file);
    });
  });
  let link: Link | undefined;
  t.equal(await ended, 'closed');
  t.match(s.bans, [[{}, { kind: 'protocol' }]]);
});

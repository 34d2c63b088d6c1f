/** The opening of a link, byte for byte as docs/protocol-vectors.json has it. */
import { readFileSync } from 'node:fs';
import t from 'tap';

import type { InfoHash } from '../../../../src/core/ids.ts';
import { bare } from './fixtures/bare.ts';
import { side, until } from './fixtures/pair.ts';

interface End {
  readonly peerId: string;
  readonly torrents: readonly InfoHash[];
  readonly sends: string;
}

interface Opening {
  readonly torrent: InfoHash;
  readonly dialler: End;
  readonly listener: End & { readonly port: number };
}

const file = new URL('../../../../../docs/protocol-vectors.json', import.meta.url);
const { opening } = JSON.parse(readFileSync(file, 'utf8')) as { opening: Opening };
const bytes = (hex: string) => Buffer.from(hex, 'hex');

t.test('a listener answers what the vector says, and has the torrent in common', async (t) => {
  const { torrent, dialler, listener } = opening;
  const to = await side(t, {
    torrents: listener.torrents,
    random: (count) => bytes(listener.peerId).subarray(-count),
  });
  const peer = await bare(t, to);
  peer.socket.write(bytes(dialler.sends));
  await until(() => to.heard.length === 1, 'a link');
  const link = to.heard[0]?.link;
  t.match(link, { peerId: dialler.peerId, client: 'example 1.0', common: [torrent] });
  // The port is whichever was free; those have five digits.
  const text = Buffer.from(
    bytes(listener.sends).toString('latin1').replace(`i${listener.port}e`, `i${to.port}e`),
    'latin1',
  );
  await until(() => peer.received().length >= text.length, 'the answer');
  t.ok(peer.received().subarray(0, text.length).equals(text), peer.received().toString('latin1'));
});

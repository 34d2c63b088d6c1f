/** docs/protocol-vectors.json, which was made by another program, holds for this implementation, in both directions. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { decodeExchange, encodeExchange } from '../../../src/actors/swarm/link/exchange-message.ts';
import { parseIndexName } from '../../../src/core/archive/index-name.ts';
import { torrentId } from '../../../src/core/archive/torrent-id.ts';
import type { InfoHash, Sha256 } from '../../../src/core/ids.ts';
import { blindedList, blindId } from '../../../src/core/swarm/blind.ts';
import { decodeFilesMessage } from '../../../src/core/swarm/decode-message.ts';
import { encodeFilesMessage } from '../../../src/core/swarm/encode-message.ts';
import { decodeExtendedHandshake, encodeExtendedHandshake } from '../../../src/core/swarm/extended-handshake.ts';
import { blindLanId, encodeLanAnnouncements, parseLanAnnouncement } from '../../../src/core/swarm/lan-announcement.ts';
import type { FilesMessage } from '../../../src/core/swarm/messages.ts';
import type { PeerAddress } from '../../../src/core/swarm/peer-address.ts';
import { PIECE_BYTES } from '../../../src/core/swarm/pieces.ts';
import { parseSwarmKey, tlsPsk } from '../../../src/core/swarm/psk.ts';
import { pieceRoot, RootHasher } from '../../../src/core/swarm/tree.ts';
import { rank, weight } from '../../../src/core/swarm/weights.ts';
import { SharedTorrents } from '../../../src/core/swarm/shared-torrents.ts';

interface BlindedTorrent {
  readonly id: InfoHash;
  readonly blinded: string;
}

interface Vectors {
  readonly torrentIds: readonly {
    readonly origin: string;
    readonly codename: string;
    readonly suite: string;
    readonly index: string;
    readonly component: string;
    readonly architecture: string;
    readonly swarmKey?: string;
    readonly id: string;
  }[];
  readonly swarmKey: { readonly file: string; readonly key: string; readonly tlsPsk: string };
  readonly lan: {
    readonly cookie: string;
    readonly group: string;
    readonly port: number;
    readonly torrents: readonly BlindedTorrent[];
    readonly datagram: string;
  };
  readonly blindedIds: readonly {
    readonly dialler: string;
    readonly listener: string;
    readonly torrents: readonly BlindedTorrent[];
    readonly list: string;
  }[];
  readonly extendedHandshakes: readonly {
    readonly client: string;
    readonly listenPort?: number;
    readonly torrents: string;
    readonly files: number;
    readonly pex?: number;
    readonly payload: string;
  }[];
  readonly messages: readonly { readonly message: Record<string, unknown>; readonly payload: string }[];
  readonly peerExchange: readonly { readonly peers: readonly PeerAddress[]; readonly payload: string }[];
  readonly ignored: readonly { readonly why: string; readonly payload: string }[];
  readonly refused: readonly { readonly why: string; readonly payload: string }[];
  readonly pieceRoots: readonly { readonly size: number; readonly roots: readonly string[] }[];
  readonly weights: readonly {
    readonly sha256: Sha256;
    readonly piece: number;
    readonly peers: readonly { readonly peerId: string; readonly weight: string }[];
    readonly order: readonly string[];
  }[];
}

const file = new URL('../../../../docs/protocol-vectors.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
const bytes = (hex: string) => Buffer.from(hex, 'hex');
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

/** Keys of messages that hold bytes; hexadecimal digits in the vectors. */
const BYTES = new Set(['have', 'roots', 'ids']);
/** `pieces` is a number in an offer and a bitmap in a fetching. */
const isBytes = (key: string, message: object) =>
  BYTES.has(key) || (key === 'pieces' && 'type' in message && message.type === 'fetching');

function read(message: Record<string, unknown>): FilesMessage {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [key, isBytes(key, message) ? bytes(value as string) : value]),
  ) as unknown as FilesMessage;
}

function spelled(message: FilesMessage | undefined): unknown {
  return Object.fromEntries(
    Object.entries(message ?? {}).map(([key, value]) => [
      key,
      ArrayBuffer.isView(value) ? hex(value as Uint8Array) : (value as unknown),
    ]),
  );
}

t.test('ids of torrents', async (t) => {
  for (const { swarmKey, index, id, ...subject } of vectors.torrentIds) {
    t.equal(torrentId(subject, swarmKey === undefined ? undefined : bytes(swarmKey)), id);
    const { component, architecture } = subject;
    t.match(parseIndexName(index), { component, architecture }, index);
  }
});

t.test('the key of a private swarm', async (t) => {
  const { file, key, tlsPsk: psk } = vectors.swarmKey;
  t.equal(hex(parseSwarmKey(file)), key);
  t.equal(hex(tlsPsk(bytes(key))), psk);
});

t.test('announcements on the local network', async (t) => {
  const { cookie, group, port, torrents, datagram } = vectors.lan;
  for (const { id, blinded } of torrents) t.equal(blindLanId(id, cookie), blinded);
  const ids = torrents.map(({ id }) => id);
  t.same(encodeLanAnnouncements(group, port, cookie, ids), [Buffer.from(datagram, 'latin1')]);
  t.same(parseLanAnnouncement(Buffer.from(datagram, 'latin1')), {
    cookie,
    port,
    blinded: torrents.map(({ blinded }) => blinded),
  });
});

t.test('blinded ids', async (t) => {
  for (const { torrents, list, ...ends } of vectors.blindedIds) {
    const ids = torrents.map(({ id }) => id);
    for (const { id, blinded } of torrents) t.equal(hex(blindId(ends, id)), blinded);
    t.equal(hex(blindedList(ends, ids)), list);
    t.same(new SharedTorrents(ends, ids, bytes(list)).common, ids.toSorted());
  }
});

t.test('extended handshakes', async (t) => {
  for (const { client, listenPort, torrents, files, pex, payload } of vectors.extendedHandshakes) {
    const own = { client, listenPort, torrents: bytes(torrents), extensions: { files, pex } };
    t.equal(hex(encodeExtendedHandshake(own)), payload);
    const decoded = decodeExtendedHandshake(bytes(payload));
    t.match(decoded, { version: 1, client, listenPort, maxRequests: 256, extensions: { files, pex } });
    t.equal(hex(decoded.torrents), torrents);
  }
});

t.test('messages', async (t) => {
  for (const { message, payload } of vectors.messages) {
    t.equal(hex(encodeFilesMessage(read(message))), payload, `${String(message['type'])} is encoded`);
    t.same(spelled(decodeFilesMessage(bytes(payload))), message, `${String(message['type'])} is decoded`);
  }
  const types = new Set(vectors.messages.map(({ message }) => message['type']));
  t.equal(types.size, 9, 'each message has vectors');
});

t.test('peer exchange', async (t) => {
  for (const { peers, payload } of vectors.peerExchange) {
    t.equal(hex(encodeExchange(peers)), payload);
    t.same(decodeExchange(bytes(payload)), peers);
  }
});

t.test('messages that are ignored, and that are refused', async (t) => {
  for (const { why, payload } of vectors.ignored) t.equal(decodeFilesMessage(bytes(payload)), undefined, why);
  for (const { why, payload } of vectors.refused) {
    t.throws(() => decodeFilesMessage(bytes(payload)), { code: 'PEER_PROTOCOL' }, why);
  }
});

t.test('piece roots', async (t) => {
  for (const { size, roots } of vectors.pieceRoots) {
    const data = Buffer.allocUnsafe(size);
    for (let k = 0; k < size; k++) data[k] = k % 251;
    const pieces = roots.map((_, k) => data.subarray(k * PIECE_BYTES, (k + 1) * PIECE_BYTES));
    t.same(
      pieces.map((piece) => hex(pieceRoot(piece))),
      roots,
    );
    const hasher = new RootHasher();
    hasher.update(data);
    t.equal(hex(hasher.finish()), roots.join(''));
  }
});

t.test('weights', async (t) => {
  for (const { sha256, piece, peers, order } of vectors.weights) {
    for (const { peerId, weight: expected } of peers) t.equal(weight(sha256, piece, peerId), BigInt(`0x${expected}`));
    t.same(
      rank(
        sha256,
        piece,
        peers.map(({ peerId }) => peerId),
      ),
      order,
    );
  }
});

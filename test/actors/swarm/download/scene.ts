/** Downloads with peers in memory, a clock that the test moves, and files in a directory of their own. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { InfoHash, Sha256 } from '../../../../src/core/ids.ts';
import { InPlace } from '../../../../src/core/in-place.ts';
import { RangeSet } from '../../../../src/core/range-set.ts';
import { pieceRoot } from '../../../../src/core/swarm/tree.ts';
import { BlockPool } from '../../../../src/actors/swarm/block-pool.ts';
import { Downloads } from '../../../../src/actors/swarm/download/downloads.ts';
import type { Link, LinkFault } from '../../../../src/actors/swarm/link/link.ts';
import type { PeerOutcome, PeerView, WantedFile } from '../../../../src/actors/swarm/protocol.ts';
import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';
import { randomBytes, sha256 } from '../../../support/random.ts';
import { FakePeer, type FakeFile } from './fake-peer.ts';

export const TORRENT = 'ab'.repeat(20) as InfoHash;
export const MIB = 1024 * 1024;

export interface Scene {
  readonly clock: ManualClock;
  readonly downloads: Downloads;
  readonly views: Map<number, PeerView>;
  /** What was told of each job. */
  readonly wrote: Map<number, RangeSet>;
  readonly bans: { readonly peerId: string; readonly fault: LinkFault }[];
  readonly agreed: Set<number>;
  readonly wanters: Set<Link>;
  readonly earlier: Set<Link>;
  /** Milliseconds to wait before the next bytes may be asked for. */
  limit: () => number;
  peer(name: string, files?: readonly FakeFile[]): FakePeer;
  wanted(file: FakeFile, id?: number): WantedFile;
  bytes(file: WantedFile): Buffer;
  /** Moves the clock until something is so; fails after a minute of its time. */
  until(condition: () => boolean): Promise<void>;
  /** Moves the clock until a promise has settled. */
  settled<T>(promise: Promise<T>): Promise<T>;
  /** Moves the clock. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export function content(seed: string, size: number): FakeFile {
  const data = randomBytes(seed, size);
  return { sha256: sha256(data) as Sha256, data };
}

export function scene(): Scene {
  const directory = mkdtempSync(join(tmpdir(), 'debtorrent-downloads-'));
  const clock = new ManualClock();
  const links = new Set<FakePeer>();
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const it: Scene = {
    clock,
    views: new Map(),
    wrote: new Map(),
    bans: [],
    agreed: new Set(),
    wanters: new Set(),
    earlier: new Set(),
    limit: () => 0,
    downloads: new Downloads({
      clock,
      log: quiet,
      ownPeerId: Buffer.from('-DT2000-self--------').toString('hex'),
      blocks: new BlockPool(),
      inPlace: new InPlace(20),
      links: () => links,
      ban({ peerId }, fault) {
        it.bans.push({ peerId, fault });
        for (const link of [...links]) if (link.peerId === peerId) link.close(fault);
      },
      offered: (id, view) => it.views.set(id, view),
      wrote(job, start, end) {
        const set = it.wrote.get(job) ?? new RangeSet();
        set.add(start, end);
        it.wrote.set(job, set);
      },
      async pieceRoot(path, start, length) {
        const file = await open(path, 'r');
        try {
          const bytes = Buffer.alloc(length);
          await file.read(bytes, 0, length, start);
          return pieceRoot(bytes);
        } finally {
          await file.close();
        }
      },
      finalPath: (name) => join(directory, `final-${name}`),
      takeTokens: () => it.limit(),
      wanters: () => it.wanters,
      earlier: () => it.earlier,
      pieceAgreed: (_, piece) => it.agreed.add(piece),
    }),
    peer(name, files = []) {
      const peer = new FakePeer({ clock, downloads: () => it.downloads, name, torrents: [TORRENT], files });
      links.add(peer);
      const { close } = peer;
      peer.close = (fault) => {
        links.delete(peer);
        close.call(peer, fault);
      };
      it.downloads.linkOpened(peer);
      return peer;
    },
    wanted: ({ sha256: name, data }, id = 1) => ({
      id,
      sha256: name,
      size: data.length,
      path: join(directory, name),
      focus: 0,
      torrents: [TORRENT],
    }),
    bytes: ({ path }) => readFileSync(path),
    async until(condition) {
      for (let turns = 0; !condition(); turns++) {
        if (turns > 60_000) throw new Error('it never came to that');
        await new Promise((resolve) => setImmediate(resolve));
        clock.advance(1);
      }
    },
    async settled(promise) {
      let done = false;
      const settle = () => {
        done = true;
      };
      promise.then(settle, settle);
      await it.until(() => done);
      return promise;
    },
    async pass(ms) {
      const end = clock.now() + ms;
      await it.until(() => clock.now() >= end);
    },
    async stop() {
      await it.settled(it.downloads.stop());
      await rm(directory, { recursive: true });
    },
  };
  return it;
}

/** Asks for all of a file in one job, or in several. */
export function fetchAll({ downloads }: Scene, file: WantedFile, jobBytes = file.size): Promise<PeerOutcome[]> {
  const jobs: Promise<PeerOutcome>[] = [];
  for (let start = 0; start < file.size; start += jobBytes) {
    const end = Math.min(start + jobBytes, file.size);
    jobs.push(downloads.fetch({ id: file.id * 1000 + jobs.length, want: file.id, start, end }));
  }
  return Promise.all(jobs);
}

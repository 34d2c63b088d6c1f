/** Uploads over real files, with links in memory and a store and catalogue that say what the test wants. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Test } from 'tap';

import type { InfoHash, Sha256 } from '../../../../src/core/ids.ts';
import { InPlace } from '../../../../src/core/in-place.ts';
import { BLOCK_BYTES, PIECE_BYTES } from '../../../../src/core/swarm/pieces.ts';
import { TokenBucket } from '../../../../src/core/swarm/token-bucket.ts';
import type { StoredFile } from '../../../../src/actors/store/protocol.ts';
import type { LinkFault } from '../../../../src/actors/swarm/link/link.ts';
import { BlockPool } from '../../../../src/actors/swarm/block-pool.ts';
import { Uploads } from '../../../../src/actors/swarm/upload/uploads.ts';
import type { UploadsDeps } from '../../../../src/actors/swarm/upload/uploads-deps.ts';
import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';
import { Recorder } from '../../../kernel/fixtures/recorder.ts';
import { randomBytes } from '../../../support/random.ts';
import { hashOf, temporaryDirectory } from '../../fixtures/fetch-stack.ts';
import { FakeLink } from './fake-link.ts';

export const TORRENT = 'aa'.repeat(20) as InfoHash;
export const OTHER = 'bb'.repeat(20) as InfoHash;

export interface Content {
  readonly name: string;
  readonly data: Buffer;
  readonly sha256: Sha256;
  readonly size: number;
  readonly path: string;
}

export class UploadScene {
  readonly directory: string;
  readonly clock = new ManualClock();
  readonly log = new Recorder();
  readonly uploads: Uploads;
  /** What the store has. */
  readonly stored = new Map<Sha256, StoredFile>();
  readonly catalogue = new Map<Sha256, { size: number; torrents: InfoHash[] }>();
  readonly looked: Sha256[] = [];
  readonly wantChanges: [string, Sha256, boolean][] = [];
  readonly bans: [FakeLink, LinkFault][] = [];
  #links = 0;
  #file = 0;

  constructor(directory: string, over: Partial<UploadsDeps>) {
    this.directory = directory;
    this.uploads = new Uploads({
      blocks: new BlockPool(),
      inPlace: new InPlace(5),
      clock: this.clock,
      log: this.log,
      random: () => 0,
      limit: new TokenBucket({ rate: 0 }),
      find: (sha256) => {
        this.looked.push(sha256);
        return Promise.resolve(this.stored.get(sha256));
      },
      check: () => Promise.resolve(true),
      content: (sha256) => this.catalogue.get(sha256),
      pieceRoots: () => Promise.reject(new Error('not in this test')),
      wantChanged: (link, sha256, wanting) => this.wantChanges.push([link.name, sha256, wanting]),
      ban: (link, fault) => {
        this.bans.push([link as FakeLink, fault]);
        link.close(fault);
        this.uploads.linkClosed(link);
      },
      ...over,
    });
  }

  link(common: readonly InfoHash[] = [TORRENT], address?: string): FakeLink {
    const link = new FakeLink(`peer ${this.#links++}`, common, address);
    link.cancelled = (block) => this.uploads.cancelled(link, block);
    this.uploads.linkOpened(link);
    return link;
  }

  /** A file on disk that the catalogue knows, in these torrents; not in the store yet. */
  publish(name: string, size: number, torrents: InfoHash[] = [TORRENT]): Content {
    const data = randomBytes(name, size);
    const path = join(this.directory, name);
    writeFileSync(path, data);
    const sha256 = hashOf(data);
    this.catalogue.set(sha256, { size, torrents });
    return { name, data, sha256, size, path };
  }

  /** The same, and the store has it. */
  store(name: string, size: number, torrents?: InfoHash[], verified = true): Content {
    const content = this.publish(name, size, torrents);
    const { sha256, path } = content;
    this.stored.set(sha256, { sha256, path, size, lastModified: '', verified, checkAgain: false, fingerprint: '' });
    return content;
  }

  /** The peer wants these; resolves with their numbers. */
  want(link: FakeLink, ...contents: Pick<Content, 'sha256' | 'size'>[]): number[] {
    const files = contents.map(({ sha256, size }) => ({ file: this.#file++, sha256, size }));
    this.uploads.message(link, { type: 'want', files });
    return files.map(({ file }) => file);
  }

  /** Wants a file and waits for its offer; resolves with the first index. */
  async leased(link: FakeLink, content: Content): Promise<number> {
    const [file] = this.want(link, content);
    const offers = () => link.of('offer').filter((offer) => offer.file === file);
    await link.until(() => offers().length > 0);
    return offers()[0]?.base as number;
  }

  ask(link: FakeLink, index: number, offset: number, length: number): void {
    this.uploads.requested(link, link.asked({ index, offset, length }));
  }

  /** Asks for all blocks of a file. */
  askAll(link: FakeLink, base: number, size: number): void {
    for (let at = 0; at < size; at += BLOCK_BYTES) {
      const length = Math.min(BLOCK_BYTES, size - at);
      this.ask(link, base + Math.floor(at / PIECE_BYTES), at % PIECE_BYTES, length);
    }
  }
}

export async function uploadScene(t: Test, over: Partial<UploadsDeps> = {}): Promise<UploadScene> {
  const scene = new UploadScene(await temporaryDirectory(t), over);
  t.teardown(() => scene.uploads.stop());
  return scene;
}

/** A disk that has to be waited for: every read is handed over. */
export const SLOW_DISK: Partial<UploadsDeps> = { inPlace: { allows: () => false, took: () => undefined } };

/** What the blocks that a link was sent make up. */
export function received(link: FakeLink, base: number, size: number): Buffer {
  const file = Buffer.alloc(size);
  for (const { block, data } of link.of('piece')) data.copy(file, (block.index - base) * PIECE_BYTES + block.offset);
  return file;
}

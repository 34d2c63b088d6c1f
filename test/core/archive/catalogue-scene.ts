/** Archives for a catalogue, made of a few lines. */
import type { InfoHash, MirrorUrl, Sha256 } from '../../../src/core/ids.ts';
import {
  archiveKey,
  type ArchiveState,
  type IndexState,
  type SegmentFile,
} from '../../../src/core/archive/archive-state.ts';
import type { Catalogue } from '../../../src/core/archive/catalogue.ts';
import { parseIndexName } from '../../../src/core/archive/index-name.ts';
import { SegmentBuilder } from '../../../src/core/archive/segment-builder.ts';
import type { Segment } from '../../../src/core/archive/segment.ts';

export const ROOT = 'http://ftp.us.debian.org/debian';
export const sha = (n: number): Sha256 => n.toString(16).padStart(64, '0') as Sha256;
export const id = (n: number): InfoHash => n.toString(16).padStart(40, '0') as InfoHash;
export const url = (text: string): MirrorUrl => text as MirrorUrl;

function segmentOf(files: Record<string, number>): Segment {
  const builder = new SegmentBuilder();
  for (const [path, n] of Object.entries(files)) {
    const bytes = Buffer.from(path);
    builder.add(bytes, 0, bytes.length, n, Buffer.from(sha(n), 'hex'));
  }
  return builder.finish();
}

interface Given {
  root?: string;
  dir?: string;
  layout?: 'dists' | 'flat';
  date?: number;
  public?: boolean;
  verified?: Sha256;
  byHash?: boolean;
  listed?: Record<string, number>;
  indexes?: Record<
    string,
    { files?: Record<string, number>; status?: IndexState['status']; torrent?: number; date?: number }
  >;
}

export function adopt(catalogue: Catalogue, given: Given): ArchiveState {
  const { root = ROOT, dir = `${root}/dists/bookworm`, date = 1, listed = {}, indexes = {} } = given;
  const segments = new Map<SegmentFile, Segment>();
  const put = (name: string, files: Record<string, number>): SegmentFile => {
    segments.set(name as SegmentFile, segmentOf(files));
    return name as SegmentFile;
  };
  const states = Object.entries(indexes).map(([name, index], n): IndexState => {
    const { kind, component, architecture } = parseIndexName(name) as NonNullable<ReturnType<typeof parseIndexName>>;
    const { files, status = 'loaded', torrent = n + 1 } = index;
    const about = { name, kind, component, architecture, torrent: id(torrent), torrentName: `T ${name}`, status };
    if (!files) return about;
    const bytes = Object.values(files).reduce((a, b) => a + b, 0);
    const file = put(name, files);
    const count = Object.keys(files).length;
    return {
      ...about,
      segment: { file, content: sha(99), date: index.date ?? date, files: count, bytes, skipped: 0 },
    };
  });
  const state: ArchiveState = {
    key: archiveKey(url(dir)),
    root: url(root),
    releaseDir: url(dir),
    layout: given.layout ?? 'dists',
    releaseName: 'InRelease',
    verified: given.verified ?? sha(1),
    origin: 'Debian',
    label: '',
    suite: '',
    codename: 'bookworm',
    components: ['main', 'contrib'],
    architectures: ['amd64'],
    date,
    acquireByHash: given.byHash ?? true,
    noSupportForArchitectureAll: true,
    public: given.public ?? true,
    segment: put('release', listed),
    indexes: states,
  };
  catalogue.adopt(state, segments);
  return state;
}

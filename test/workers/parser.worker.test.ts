import t from 'tap';
import type {
  FetcherProtocol,
  CatalogueReaderProtocol,
  RoomProtocol,
} from '../../src/actors/packages-parser/collaborators.ts';
import type { PackagesParserProtocol } from '../../src/actors/packages-parser/packages-parser.ts';
import type { CatalogueUpdate } from '../../src/core/archive/archive-state.ts';
import { Segment } from '../../src/core/archive/segment.ts';
import type { MirrorUrl, Sha256 } from '../../src/core/ids.ts';
import { spawn } from '../../src/kernel/actor.ts';
import { startThread } from '../../src/kernel/thread.ts';
import { workerUrl } from '../../src/kernel/worker-url.ts';
import type { ParserBoot } from '../../src/workers/parser.worker.ts';
import { Archive } from '../support/archive.ts';
import { makeKeys } from '../support/keys.ts';
import { skipWithout, until } from '../support/process.ts';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

t.test('the parser in its thread', { skip: skipWithout('gpg', 'gpgv', 'xz') }, async (t) => {
  const keys = makeKeys();
  const archive = new Archive({ keys, seed: 'worker' }).publish({ add: [{ name: 'hello' }] });
  const catalogueDir = mkdtempSync(join(tmpdir(), 'dt-catalogue-'));
  const nothing = (): void => undefined;
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  let update: CatalogueUpdate | undefined;
  const gateway = spawn<CatalogueReaderProtocol>({
    name: 'gateway',
    log,
    behaviour: {
      catalogueChanged(next) {
        update = next;
        return true;
      },
    },
  });
  const fetcher = spawn<FetcherProtocol>({
    name: 'fetcher',
    log,
    behaviour: {
      fetch(plan) {
        const path = join(archive.root, new URL(plan.url).pathname);
        return { path, size: statSync(path).size, sha256: plan.sha256 as Sha256 };
      },
      suspect: nothing,
    },
  });
  const boot: ParserBoot = { catalogueDir, keyrings: [keys.keyring], publicKeyrings: [keys.otherKeyring] };
  const room = spawn<RoomProtocol>({ name: 'room', log, behaviour: { makeRoom: () => true as const } });
  const refs = { gateway: gateway.ref, fetcher: fetcher.ref, room: room.ref };
  const niceBefore = niceOf(process.pid);
  const thread = await startThread({ name: 'parser', url: workerUrl('parser'), boot, refs, log });
  t.teardown(async () => {
    await thread.stop();
    await gateway.stop();
    await fetcher.stop();
    await room.stop();
    rmSync(catalogueDir, { recursive: true, force: true });
    archive.close();
    keys.close();
  });
  if (process.platform === 'linux') {
    t.ok(
      readdirSync('/proc/self/task')
        .map(Number)
        .some((task) => niceOf(task) === 10),
      'it leaves the processor to others',
    );
    t.equal(niceOf(process.pid), niceBefore, 'who keep theirs');
  }
  const parser = thread.ref<PackagesParserProtocol>('parser');
  const url = (name: string): MirrorUrl =>
    `http://ftp.us.debian.org${archive.url(archive.metaPath(name))}` as MirrorUrl;

  const inRelease = join(archive.root, archive.base, archive.metaPath('InRelease'));
  const verdict = await parser.ask('releaseFetched', { url: url('InRelease'), inRelease });
  t.match(verdict, { adopted: true, changed: true, archive: { public: false } });
  t.equal(update?.archives.length, 1, 'the gateway knew before the verdict came');
  await parser.ask('indexUsed', url('main/binary-amd64/Packages.xz'));
  await until('the index is loaded', () => update?.archives[0]?.indexes[0]?.status === 'loaded');
  t.strictSame(await parser.ask('archives'), update?.archives);
  const segments = [...(update?.segments.values() ?? [])].map((memory) => Segment.opened(memory));
  t.ok(
    segments.some((segment) => segment?.lookup(archive.file('hello').path)),
    'what it found is in memory of both threads',
  );
  await thread.stop();
  t.same(await thread.ended, { code: 0 }, 'the thread ends by itself');
});

/** Of a thread of this process; NaN if it has ended. */
function niceOf(task: number): number {
  try {
    const afterName = readFileSync(`/proc/self/task/${task}/stat`, 'utf8').split(') ')[1] ?? '';
    return Number(afterName.split(' ')[16]);
  } catch {
    return Number.NaN;
  }
}

/** A source that still writes when its transfer has ended: nothing of the partial file is left that cannot be resumed. */
import { appendFile, readdir, writeFile } from 'node:fs/promises';

import t from 'tap';

import { systemClock } from '../../../src/core/clock.ts';
import { spawn } from '../../../src/kernel/actor.ts';
import type { RangeOutcome, SourceProtocol, SourceSinkProtocol } from '../../../src/actors/source.ts';
import { layoutOf } from '../../../src/actors/store/layout.ts';
import type { StoreProtocol } from '../../../src/actors/store/protocol.ts';
import { openStore } from '../../../src/actors/store/store.ts';
import type { PeersSinkProtocol } from '../../../src/actors/swarm/protocol.ts';
import type { TransfersProtocol } from '../../../src/actors/transfers/protocol.ts';
import { createTransfers } from '../../../src/actors/transfers/transfers.ts';
import { until } from '../../kernel/contract.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';
import { hashOf, signedPlan, temporaryDirectory } from '../fixtures/fetch-stack.ts';

const CANCELLED: RangeOutcome = { kind: 'failed', code: 'CANCELLED', message: 'cancelled', transient: false };

t.test('what is written after the end is removed with the rest', async (t) => {
  const root = await temporaryDirectory(t);
  const [log, clock, layout] = [new Recorder(), systemClock, layoutOf(root)];
  const opened = await openStore({ root, limitBytes: 0, clock, log });
  const store = spawn<StoreProtocol>({ name: 'store', behaviour: opened.behaviour, log, stop: () => opened.stop() });
  let asked = '';
  let end = (): void => undefined;
  const mirror = spawn<SourceProtocol>({
    name: 'mirror',
    log,
    behaviour: {
      fetch: async ({ path }) => {
        asked = path;
        await new Promise<void>((resolve) => (end = resolve));
        // As what has come is written before a cancelled job ends, and the disk is full.
        await appendFile(path, '');
        return CANCELLED;
      },
      // Late enough for the file to be removed before, if it were.
      wanted: () => undefined,
      cancel: () => void setTimeout(() => end(), 200),
    },
  });
  const made = createTransfers({
    store: store.ref,
    mirror: mirror.ref,
    hashing: { sha256: () => Promise.reject(new Error('nothing to hash')) } as never,
    clock,
    log,
    connections: 4,
    finalPath: layout.file,
  });
  const transfers = spawn<TransfersProtocol & SourceSinkProtocol & PeersSinkProtocol>({
    name: 'transfers',
    behaviour: made.behaviour,
    log,
    stop: () => made.stop(),
  });
  const data = Buffer.alloc(1_000_000);
  const fetched = transfers.ref.ask('fetch', signedPlan('http://127.0.0.1/a.deb', data)).catch(() => undefined);
  await until(() => asked !== '');
  await transfers.stop();
  await fetched;
  await mirror.stop();
  await store.stop();
  t.strictSame(await readdir(layout.partials), []);

  // As an earlier version left it.
  await writeFile(layout.partial(hashOf(data) as never), '');
  const again = await openStore({ root, limitBytes: 0, clock, log });
  t.strictSame(await readdir(layout.partials), []);
  await again.stop();
});

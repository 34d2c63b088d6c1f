import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type { MirrorFaults } from '../../../scripts/loadtest/faults/faults.ts';
import { startRelay } from '../../../scripts/loadtest/faults/relay.ts';
import { parseAccessLog } from '../../../scripts/support/access-log.ts';
import { Mirror } from '../../support/mirror.ts';
import { randomBytes } from '../../support/random.ts';
import { exchange, requestText } from '../../support/raw-http.ts';

const FILE = randomBytes('relay', 300_000);

/** A relay with these faults in front of a good mirror with one file. */
async function scene(t: Test, faults: MirrorFaults) {
  const root = mkdtempSync(join(tmpdir(), 'dt-relay-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'pool'));
  writeFileSync(join(root, 'pool/a.deb'), FILE);
  const mirror = await Mirror.start({ root });
  t.teardown(() => mirror.close());
  const accessLog = join(root, 'log');
  const relay = await startRelay({ mirror: mirror.host, faults, seed: t.name, accessLog });
  let closed = false;
  const close = async (): Promise<void> => {
    if (!closed) await relay.close();
    closed = true;
  };
  t.teardown(close);
  const get = async (answers = 1, headers: string[] = []) =>
    exchange({ port: relay.port }, requestText('GET', '/pool/a.deb', 'x', headers).repeat(answers), { answers });
  return {
    get,
    async log() {
      await close();
      return parseAccessLog(readFileSync(accessLog, 'latin1'));
    },
  };
}

t.test('without a fault it is the mirror: pipelined requests, ranges, conditions', async (t) => {
  const { get, log } = await scene(t, { latency: 1 });
  const answers = await get(3);
  t.ok(answers.every(({ status, body }) => status === 200 && body.equals(FILE)));
  const [part] = await get(1, ['Range: bytes=10-19']);
  t.equal(part?.status, 206);
  t.ok(part?.body.equals(FILE.subarray(10, 20)));
  const [known] = await get(1, [`If-Modified-Since: ${answers[0]?.headers['last-modified'] ?? ''}`]);
  t.equal(known?.status, 304);
  const entries = await log();
  t.same(
    entries.map(({ status, bytes }) => [status, bytes]),
    [
      [200, 300_000],
      [200, 300_000],
      [200, 300_000],
      [206, 10],
      [304, 0],
    ],
  );
});

t.test('errors have a body and a length; the log has them', async (t) => {
  const { get, log } = await scene(t, { errors: 1 });
  const [answer] = await get();
  t.match(answer, { status: 503, complete: true, headers: { 'content-length': '13' } });
  t.match(await log(), [{ status: 503, bytes: 13, path: '/pool/a.deb' }]);
});

t.test('truncated answers end in the middle, and the log says how much went out', async (t) => {
  const { get, log } = await scene(t, { truncate: 1 });
  const [answer] = await get();
  t.match(answer, { status: 200, complete: false });
  const length = answer?.body.length ?? 0;
  t.ok(length < FILE.length && answer?.body.equals(FILE.subarray(0, length)));
  const [entry] = await log();
  t.ok((entry?.bytes ?? 0) >= length && (entry?.bytes ?? 0) < FILE.length);
});

t.test('a reset is no answer at all', async (t) => {
  const { get } = await scene(t, { reset: 1 });
  t.same(await get(), []);
});

t.test('a rate is kept', async (t) => {
  const { get } = await scene(t, { rate: 600_000 });
  const began = performance.now();
  t.ok((await get())[0]?.body.equals(FILE));
  // the first 128 KiB may come at once
  t.ok(performance.now() - began >= ((FILE.length - 131_072) / 600_000) * 1000 * 0.95);
});

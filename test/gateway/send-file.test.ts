/** Answers whose transfer begins anew on the way: who has got nothing of the file notices nothing. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import t, { type Test } from 'tap';
import { request } from 'undici';

import type { ArrivingFile, Progress, TransfersProtocol } from '../../src/actors/transfers/protocol.ts';
import { asDebtorrentError } from '../../src/core/errors.ts';
import { ReadyMark } from '../../src/core/ready-mark.ts';
import { ClientExchange } from '../../src/gateway/exchange.ts';
import { sendArriving } from '../../src/gateway/send-file.ts';
import { spawn } from '../../src/kernel/actor.ts';
import { hashOf, temporaryDirectory } from '../actors/fixtures/fetch-stack.ts';
import { Recorder } from '../kernel/fixtures/recorder.ts';
import { randomBytes } from '../support/random.ts';

const data = randomBytes('arriving', 100_000);

interface Following {
  /** Bytes that the first transfer takes the file to have. */
  readonly announced?: number;
  readonly ready?: ReadyMark;
  /** Hears from where it was asked to wait. */
  waited?(position: number): void;
}

/** A server that answers as the gateway does, from transfers that say these things, one after the other. */
async function serve(t: Test, progress: readonly Progress[], known = true, following: Following = {}) {
  const { announced, ready = new ReadyMark(), waited } = following;
  const directory = await temporaryDirectory(t);
  const said = [...progress];
  const sent: unknown[] = [];
  let answered: Promise<void> | undefined;
  const refuse = () => Promise.reject(new Error('not a part of this'));
  const transfers = spawn<TransfersProtocol>({
    name: 'transfers',
    log: new Recorder(),
    behaviour: {
      wait(_id, position) {
        waited?.(position);
        return said.shift() ?? { kind: 'more', end: data.length, size: data.length };
      },
      leave: () => undefined,
      open: refuse,
      fetch: refuse,
      cached: refuse,
      head: refuse,
      suspect: () => undefined,
      status: refuse,
    },
  });
  t.teardown(() => transfers.stop());
  const arriving = async (epoch: number, bytes: Buffer): Promise<ArrivingFile> => {
    const path = join(directory, `epoch${epoch}`);
    await writeFile(path, bytes);
    return {
      kind: 'arriving',
      id: 1,
      path,
      epoch,
      ready: ready.memory,
      size: epoch === 0 ? (announced ?? data.length) : data.length,
      sha256: known ? hashOf(data) : undefined,
      lastModified: undefined,
      etag: undefined,
      contentType: undefined,
      source: 'mirror',
    };
  };
  const answer = async (client: ClientExchange): Promise<void> => {
    const deps = { transfers: transfers.ref, date: () => Date.now() };
    for (const file of [await arriving(0, Buffer.alloc(data.length)), await arriving(1, data)]) {
      const done = await sendArriving(deps, client, file, known);
      sent.push(done);
      if (done === 'sent') return;
    }
  };
  const server = createServer((req, res) => {
    answered = answer(new ClientExchange(req, res)).catch((error: unknown) => {
      sent.push(asDebtorrentError(error).code);
      res.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  /** What came of it, when the server is done too: the client may be before. */
  const results = async (): Promise<readonly unknown[]> => {
    await answered;
    return sent;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, results };
}

t.test('a transfer that begins anew before anything of it was sent: one answer, with the right bytes', async (t) => {
  const { url, results } = await serve(t, [{ kind: 'restarted', epoch: 1 }]);
  const { statusCode, headers, body } = await request(url);
  t.equal(statusCode, 200);
  t.equal(headers['content-length'], String(data.length));
  t.ok(Buffer.from(await body.arrayBuffer()).equals(data));
  t.strictSame(await results(), ['anew', 'sent']);
});

t.test('a range whose transfer begins anew ends short: its client may have the wrong bytes before it', async (t) => {
  const { url, results } = await serve(t, [{ kind: 'restarted', epoch: 1 }]);
  await t.rejects(request(url, { headers: { range: 'bytes=5000-' } }).then(({ body }) => body.arrayBuffer()));
  t.strictSame(await results(), ['HASH_MISMATCH']);
});

t.test('a size that was announced and is not that of the right file: the answer ends short', async (t) => {
  const { url, results } = await serve(t, [{ kind: 'restarted', epoch: 1 }], true, { announced: 15_000 });
  await t.rejects(request(url).then(({ body }) => body.arrayBuffer()));
  t.strictSame(await results(), ['anew', 'HASH_MISMATCH']);
});

t.test('what has been sent is not followed by bytes that may be of another file', async (t) => {
  const { url, results } = await serve(t, [
    { kind: 'more', end: 4096, size: data.length },
    { kind: 'restarted', epoch: 1 },
  ]);
  const { body } = await request(url);
  await t.rejects(body.arrayBuffer());
  t.strictSame(await results(), ['HASH_MISMATCH']);
});

t.test('what has been sent is void when its transfer began anew and then failed, whatever with', async (t) => {
  const failed = { kind: 'failed', code: 'STORE_FULL', message: 'no room' } as const;
  for (const [epoch, code] of [
    [0, 'STORE_FULL'],
    [1, 'HASH_MISMATCH'],
  ] as const) {
    const { url, results } = await serve(t, [
      { kind: 'more', end: 4096, size: data.length },
      { ...failed, epoch },
    ]);
    await t.rejects(request(url).then(({ body }) => body.arrayBuffer()));
    t.strictSame(await results(), [code]);
    const fresh = await serve(t, [{ ...failed, epoch }]);
    await t.rejects(request(fresh.url).then(({ body }) => body.arrayBuffer()));
    t.strictSame(await fresh.results(), ['STORE_FULL'], 'who has nothing may be given it from elsewhere');
  }
});

t.test('without a hash nobody knows that it is the same file of which the client has a part', async (t) => {
  const begun = { kind: 'more', end: 4096, size: data.length } as const;
  const { url, results } = await serve(t, [begun, { kind: 'restarted', epoch: 1 }], false);
  await t.rejects(request(url).then(({ body }) => body.arrayBuffer()));
  t.strictSame(await results(), ['HASH_MISMATCH']);
  const fresh = await serve(t, [{ kind: 'restarted', epoch: 1 }], false);
  const { body } = await request(fresh.url);
  t.equal((await body.arrayBuffer()).byteLength, data.length, 'of which it has nothing, it is given what comes now');
  t.strictSame(await fresh.results(), ['anew', 'sent']);
});

t.test('a reader that is behind goes on without asking, and asks for what is not there', async (t) => {
  const ready = new ReadyMark();
  ready.advance(8192);
  const asked: number[] = [];
  const { url, results } = await serve(t, [], true, { ready, waited: (position) => asked.push(position) });
  const { body } = await request(url);
  t.equal((await body.arrayBuffer()).byteLength, data.length);
  t.strictSame(await results(), ['sent']);
  t.strictSame(asked, [8192]);
});

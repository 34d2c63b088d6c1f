/** Mirrors that close a connection while the disk is slower than they are. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import t, { type Test } from 'tap';

import { compileHostRules } from '../../../src/core/host-rules.ts';
import { mirrorRequest } from '../../../src/core/http/mirror-url.ts';
import type { MirrorUrl } from '../../../src/core/ids.ts';
import { createExchanger } from '../../../src/actors/http-backup/exchange.ts';
import { until } from '../../kernel/contract.ts';

const BODY = Buffer.alloc(64 * 1024, 'a');
const TIMEOUTS = { connectMs: 5_000, headersMs: 5_000, stallMs: 5_000, againMs: 5_000 };

/** Pauses at each of its bytes, and has the mirror close when the first are there; what came is in `came`. */
async function fetchPaused(t: Test, headers: string, close: (socket: Socket) => void) {
  let mirror: Socket | undefined;
  const server = createServer((socket) => {
    mirror = socket;
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\n${headers}Connection: close\r\n\r\n`);
      socket.write(BODY);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const exchanger = createExchanger({ rules: compileHostRules(['127.0.0.1']), connections: 1, timeouts: TIMEOUTS });
  t.teardown(() => exchanger.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.deb` as MirrorUrl;
  const came = { bytes: 0, ended: false, error: undefined as Error | undefined };
  const exchange = exchanger.open(
    { method: 'GET', request: mirrorRequest(url), headers: {} },
    {
      head: () => undefined,
      data: (chunk) => {
        came.bytes += chunk.length;
        exchange.pause();
      },
      end: () => void (came.ended = true),
      error: (error) => void (came.error = error),
    },
  );
  await until(() => came.bytes > 0);
  const closed = once(mirror as Socket, 'close');
  close(mirror as Socket);
  return { came, exchange, closed };
}

/** Resumes again and again, as each of the bytes pauses, until it is over. */
async function goOn(t: Test, { came, exchange }: Awaited<ReturnType<typeof fetchPaused>>): Promise<void> {
  const resuming = setInterval(() => exchange.resume(), 20);
  t.teardown(() => clearInterval(resuming));
  await until(() => came.ended || came.error !== undefined);
}

/** The length that is told has one byte more than comes where the connection is broken off. */
for (const [name, headers, more] of [
  ['with a length', `Content-Length: ${BODY.length}\r\n`, `Content-Length: ${BODY.length + 1}\r\n`],
  ['without a length', '', ''],
] as const) {
  t.test(`a body ${name}, and FIN while it is paused: it is whole`, async (t) => {
    const fetching = await fetchPaused(t, headers, (socket) => socket.end());
    await goOn(t, fetching);
    t.match(fetching.came, { bytes: BODY.length, ended: true, error: undefined });
  });

  t.test(`a body ${name}, and RST while it is paused: an error, and only for who asked`, async (t) => {
    const fetching = await fetchPaused(t, more, (socket) => socket.resetAndDestroy());
    await fetching.closed;
    await goOn(t, fetching);
    t.not(fetching.came.error, undefined);
    t.equal(fetching.came.ended, false);
  });
}

t.test('a mirror that breaks off while it is paused has not sent the whole', async (t) => {
  const fetching = await fetchPaused(t, `Content-Length: ${BODY.length + 1}\r\n`, (socket) => socket.end());
  await goOn(t, fetching);
  t.not(fetching.came.error, undefined);
});

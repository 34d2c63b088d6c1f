/** Tunnels, and what else is answered without node:http: in the figures and the log as all answers are, and whole. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

import t from 'tap';

import { compileHostRules } from '../../src/core/host-rules.ts';
import { Tunnels } from '../../src/gateway/tunnel.ts';
import { until } from '../kernel/contract.ts';
import { Recorder } from '../kernel/fixtures/recorder.ts';
import { exchange } from '../support/raw-http.ts';
import { startGateway } from './fixtures/gateway-scene.ts';

/** Takes a write, and the next one only when it is told to. */
class SlowClient extends Duplex {
  readonly taken: string[] = [];
  goOn: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.taken.push(chunk.toString());
    this.goOn = callback;
  }
}

t.test('what the host sent before it closed reaches a client that is slow to take it', async (t) => {
  const host = createServer();
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  t.teardown(() => host.close());
  const { port } = host.address() as AddressInfo;
  const log = new Recorder();
  const answered: number[] = [];
  const rules = compileHostRules([`127.0.0.1:${port}`]);
  const tunnels = new Tunnels({ rules, log, answered: (status) => answered.push(status) });
  const accepted = once(host, 'connection');
  const client = new SlowClient();
  tunnels.open(client, '127.0.0.1', port, Buffer.alloc(0));
  const [socket] = (await accepted) as [Socket];
  await until(() => client.goOn !== undefined);
  socket.end('the last words');
  await until(() => log.of('tunnel closed').length > 0);
  while (!client.writableFinished && !client.destroyed) {
    const { goOn } = client;
    client.goOn = undefined;
    goOn?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(client.taken.join(''), 'HTTP/1.1 200 Connection established\r\n\r\nthe last words');
  // It closes its side as well.
  client.push(null);
  await until(() => client.destroyed);
  t.same(answered, [200]);
});

t.test('a client that leaves takes its connection to the host along', async (t) => {
  const host = createServer((socket) => socket.on('error', () => undefined));
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const { port } = host.address() as AddressInfo;
  const rules = compileHostRules([`127.0.0.1:${port}`]);
  const tunnels = new Tunnels({ rules, log: new Recorder(), answered: () => undefined });
  const client = new SlowClient();
  const connected = once(host, 'connection');
  tunnels.open(client, '127.0.0.1', port, Buffer.alloc(0));
  await connected;
  client.destroy();
  await new Promise((resolve) => host.close(resolve));
  t.pass('no connection is left');
});

t.test('each answer has its line in the log, is counted, and says when to try again what may pass', async (t) => {
  const s = await startGateway(t);
  const connect = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
  for (const [text, status, code, retryAfter] of [
    [connect('evil.example:443'), 403, 'HOST_NOT_ALLOWED', undefined],
    [connect('127.0.0.1'), 400, 'BAD_TARGET', undefined],
    [connect('127.0.0.1:443'), 503, 'MIRROR_UNREACHABLE', '5'],
    ['GARBAGE\r\n\r\n', 400, 'BAD_REQUEST', undefined],
  ] as const) {
    const before = s.metrics.totals();
    const lines = s.log.entries.length;
    const [answer] = await exchange(s.target, text);
    t.match(answer, { status, complete: true, headers: { 'x-debtorrent-error': code } }, text);
    t.equal(answer?.headers['retry-after'], retryAfter);
    const { requests, errors } = s.metrics.totals();
    t.same([requests - before.requests, errors - before.errors], [1, 1], 'counted once');
    t.match(
      s.log.entries.slice(lines).filter(({ fields }) => 'status' in fields),
      [{ level: 'info', fields: { status, code, reason: /\w/ } }],
      'one line',
    );
  }
});

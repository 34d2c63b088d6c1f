/** Tunnels whose ends do not keep pace with each other. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';

import t from 'tap';

import { compileHostRules } from '../../src/core/host-rules.ts';
import { Tunnels } from '../../src/gateway/tunnel.ts';
import { until } from '../kernel/contract.ts';

const END = 'the end of the answer';

/** A client that takes nothing until it is let go. */
class SlowClient extends Duplex {
  taken = '';
  #held: (() => void) | undefined;
  #free = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken += chunk.toString();
    if (this.#free) done();
    else this.#held = done;
  }

  letGo(): void {
    this.#free = true;
    this.#held?.();
  }
}

t.test('what a host sent before it closed the tunnel reaches a client that is behind', async (t) => {
  const server = createServer((socket) => socket.end(END)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const logged: string[] = [];
  const note = (_fields: object, message: string) => void logged.push(message);
  const tunnels = new Tunnels({
    rules: compileHostRules([`127.0.0.1:${port}`]),
    log: { debug: note, info: note, warn: note, error: note },
  });
  const client = new SlowClient();
  tunnels.open(client, '127.0.0.1', port, Buffer.alloc(0));
  await until(() => logged.includes('tunnel closed'));
  client.letGo();
  await until(() => client.writableFinished || client.destroyed);
  t.ok(client.taken.startsWith('HTTP/1.1 200 '));
  t.ok(client.taken.endsWith(END));
  client.push(null);
  await until(() => client.destroyed);
});

t.test('a client that leaves takes its connection to the host along', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const tunnels = new Tunnels({ rules: compileHostRules([`127.0.0.1:${port}`]), log });
  const client = new SlowClient();
  const connected = once(server, 'connection');
  tunnels.open(client, '127.0.0.1', port, Buffer.alloc(0));
  await connected;
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

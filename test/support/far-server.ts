/** A server that is far away: connecting to it takes a second or longer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { until } from './process.ts';

/** Takes what comes when its queue of connections has room again: the kernel drops what would open one meanwhile. */
const SERVER = `const server = require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  if (process.argv[1]) socket.once('data', () => socket.end(process.argv[1]));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;

/** On 127.0.0.1; it answers, once it has woken up, and says `answer` to whatever it is asked. */
export async function farServer(t: Test, answer = ''): Promise<{ port: number; wake(): void }> {
  const child = spawn(process.execPath, ['-e', SERVER, '--', answer], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text);
  child.kill('SIGSTOP');
  const filling = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  t.teardown(() => {
    for (const socket of filling) socket.destroy();
  });
  await until('its queue is full', () => filling.filter(({ connecting }) => !connecting).length >= 2);
  return { port, wake: () => child.kill('SIGCONT') };
}

/** What takes the place of `dns.lookup`: every name has these addresses. */
export function addressesAre(...addresses: readonly string[]) {
  return (_host: string, _options: unknown, found: (error: null, all: { address: string; family: number }[]) => void) =>
    found(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
}

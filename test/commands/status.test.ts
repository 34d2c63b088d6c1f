import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { formatStatus } from '../../src/commands/format-status.ts';
import { MAIN } from '../support/daemon.ts';
import { run } from '../support/process.ts';

const REPORT = {
  version: '2.0.0',
  uptime_s: 3725,
  torrents: [{}, {}],
  peers: [],
  transfers: [{ path: '/debian/pool/x\x1b[31m.deb', size: 2097152, received: 1048576 }],
  totals: {
    served_bytes: 3 * 2 ** 30,
    from_cache_bytes: 2 ** 31,
    from_peers_bytes: 0,
    from_mirror_bytes: 2 ** 30,
    requests: 12,
    errors: 1,
  },
  cache: { files: 7, bytes: 2 ** 30, limit_bytes: 20 * 2 ** 30 },
};

/** Something that listens where a daemon should. */
async function answering(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const status = (listen: string, ...flags: string[]) =>
  run(process.execPath, [MAIN, 'status', `--listen=${listen}`, ...flags]);

t.test('a summary for people', async (t) => {
  const listen = await answering(t, (asked, answer) =>
    answer.end(asked.url === '/status.json' ? JSON.stringify(REPORT) : ''),
  );
  const { code, stdout } = await status(listen);
  t.equal(code, 0);
  t.match(stdout, 'debtorrent 2.0.0, up 1 h 2 min');
  t.match(stdout, 'served    3.0 GiB in 12 requests, 1 errors');
  t.match(stdout, 'cache     7 files, 1.0 GiB of 20.0 GiB');
  t.match(stdout, '/debian/pool/x?[31m.deb: 1.0 MiB of 2.0 MiB', 'what could steer a terminal is not printed');
});

t.test('--json gives the report as it is', async (t) => {
  const listen = await answering(t, (_, answer) => answer.end(JSON.stringify(REPORT)));
  const { code, stdout } = await status(listen, '--json');
  t.equal(code, 0);
  t.same(JSON.parse(stdout), REPORT);
});

t.test('no daemon: one line, exit 1', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { code, output } = await status(`127.0.0.1:${port}`);
  t.equal(code, 1);
  t.equal(output, `debtorrent: no daemon is running on 127.0.0.1:${port}\n`);
});

t.test('something else listens there: one line, exit 1', async (t) => {
  const strangers: RequestListener[] = [
    (_, answer) => answer.writeHead(404).end('no'),
    (_, answer) => answer.end('<html>'),
    (_, answer) => answer.end('[1,2]'),
    (_, answer) => answer.end('{"cache":"full"}'),
    (_, answer) => answer.destroy(),
    (_, answer) => answer.end(`"${'x'.repeat(20 << 20)}"`),
  ];
  for (const stranger of strangers) {
    const { code, output } = await status(await answering(t, stranger));
    t.equal(code, 1);
    t.match(output, /^debtorrent: [^\n]+\n$/);
  }
});

t.test('a report that lacks things is shown as far as it goes', async (t) => {
  t.match(formatStatus({ version: '3' }), /^debtorrent 3, up 0 s/);
});

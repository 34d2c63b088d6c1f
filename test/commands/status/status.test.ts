import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { formatStatus } from '../../../src/commands/status/format.ts';
import { parseReport } from '../../../src/commands/status/report.ts';
import { looksOf, paint } from '../../../src/commands/status/terminal.ts';
import { exampleReport } from '../../gateway/status/fixtures/example-report.ts';
import { MAIN, spawnMain } from '../../support/daemon.ts';
import { run, skipWithout, until } from '../../support/process.ts';

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

/** Without the colours that it may have. */
const plain = (text: string) =>
  ['1', '2', '31', '32', '0'].reduce((rest, code) => rest.replaceAll(`\x1b[${code}m`, ''), text);
const PLAIN = looksOf({}, {});
const shown = (report: unknown, looks = PLAIN) =>
  paint(formatStatus(parseReport(report), looks.columns, 60_000), looks);

t.test('a report that lacks things is shown as far as it goes', async (t) => {
  t.match(shown({ version: '3' }), /^debtorrent 3, up 0 s/);
});

t.test('it says what the page says, in the same order', async (t) => {
  const text = shown(exampleReport());
  const order = [
    /^debtorrent example, up 1 h 2 min$/,
    /^It works, but not all is well: example does not answer\.$/,
    /^now +mirrors 2\.0 KiB\/s, peers 1\.0 KiB\/s/,
    /^ {2}\[####====-{22}\] ftp\.us\.debian\.org\/debian\/pool\/example: 1\.0 MiB of 4\.0 MiB, 100\.0 KiB\/s, 31 s left/,
    /^saved +9\.0 MiB that no mirror had to send, 75 % of all since 1970-01-01$/,
    /^cache +7 files, 1\.0 GiB of 20\.0 GiB, 40 % of answers came from it$/,
    /^torrents +1, peers 1$/,
    /^ {2}example \(example\): from it 1\.0 MiB \(1\.0 KiB\/s\), to it 0 B$/,
    /, banned$/,
    /^mirror +example: 3\.0 MiB, 2 failures, does not answer$/,
    /^ {2}MIRROR_TIMEOUT example, 1 min ago, 3 times: example$/,
  ];
  const lines = text.split('\n');
  let at = -1;
  for (const pattern of order) {
    const next = lines.findIndex((line, index) => index > at && pattern.test(line));
    t.ok(next > at, String(pattern));
    at = next;
  }
});

t.test('terminals get colours and lines that fit, unless they say otherwise', async (t) => {
  const hostile = exampleReport('\x1b]0;title\x07\x9b31m');
  const looks = looksOf({ isTTY: true, columns: 40, rows: 10 }, { TERM: 'xterm' });
  const text = shown(hostile, looks);
  t.match(text, '\x1b[31mIt works, but');
  t.ok(
    plain(text)
      .split('\n')
      .every((line) => line.length <= 40),
  );
  t.notMatch(plain(text), /[^\x20-\x7e\n]/, 'nothing of strangers steers the terminal');
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
    t.notMatch(shown(hostile, looksOf({ isTTY: true, columns: 40 }, env)), '\x1b');
  t.match(looksOf({ isTTY: true, columns: 0, rows: 0 }, {}), { columns: 80, rows: 24 });
});

t.test('--watch shows it again and again, waits for a daemon that is away, and ends with a signal', async (t) => {
  let answers = 0;
  const listen = await answering(t, (_, answer) => {
    answers += 1;
    if (answers === 2) answer.destroy();
    else answer.end(JSON.stringify({ version: `1.${answers}` }));
  });
  const child = spawnMain(['status', '--watch', `--listen=${listen}`]);
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  await until('it is shown three times', () => text.includes('debtorrent 1.3,'));
  t.match(text, /^debtorrent 1\.1,.*^debtorrent: no|^no daemon answers.*; trying again$/ms);
  t.notMatch(text, '\x1b', 'as plain text');
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  t.same(await ended, [0, null]);
});

t.test('--watch --json is a line each time, and ends when nobody reads', async (t) => {
  const listen = await answering(t, (_, answer) => answer.end(JSON.stringify(REPORT)));
  const child = spawnMain(['status', '--watch', '--json', `--listen=${listen}`]);
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const [first] = (await once(child.stdout?.setEncoding('utf8') as NodeJS.ReadableStream, 'data')) as [string];
  t.same(JSON.parse(first), REPORT);
  t.ok(first.endsWith('}\n') && first.indexOf('\n') === first.length - 1);
  child.stdout?.destroy();
  t.same(await ended, [0, null]);
});

t.test(
  '--watch on a terminal draws in place and leaves the cursor as it was',
  { skip: skipWithout('script') },
  async (t) => {
    const listen = await answering(t, (_, answer) => answer.end(JSON.stringify(exampleReport())));
    const command = `stty rows 8 cols 50; exec timeout --signal=INT 4 ${process.execPath} ${MAIN} status --watch --listen=${listen}`;
    const { stdout } = await run('script', ['-qec', command, '/dev/null'], { env: { ...process.env, TERM: 'xterm' } });
    t.match(stdout, '\x1b[?25l\x1b[H\x1b[2J');
    t.ok(stdout.lastIndexOf('\x1b[?25h') > stdout.lastIndexOf('debtorrent example'), 'the cursor is back');
    const views = stdout.split('\x1b[J').slice(0, -1);
    t.ok(views.length >= 1);
    t.ok(
      views.every((view) => view.split('\n').length <= 8),
      'no view is higher than the terminal',
    );
  },
);

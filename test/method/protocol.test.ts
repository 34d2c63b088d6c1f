/** What the method says to APT for each thing that can happen, and what it does to the files it writes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';

import { CAPABILITIES } from '../../src/method/main.ts';
import { run, skipWithout } from '../support/process.ts';
import { LAUNCHER } from '../../scripts/support/apt-methods.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';
import { MethodProcess } from './fixtures/method-process.ts';
import { stage } from './fixtures/stage.ts';

t.setTimeout(600_000);

const PATH = '/mirror.example/debian/pool/a_1%2b1.deb';
const data = Buffer.alloc(50_000, 'a package, more or less. ');
const sha256 = createHash('sha256').update(data).digest('hex');
const expected = { 'Expected-SHA256': sha256, 'Expected-Checksum-FileSize': data.length };

async function stageForPath(...[t, configuration]: Parameters<typeof stage>) {
  const made = await stage(t, configuration);
  return { ...made, filename: join(made.directory, 'a.deb'), uri: made.daemon.uri(PATH) };
}

t.test('the launcher says what the method can do, and ends with its input', async (t) => {
  const launched = await run(LAUNCHER, [], { input: '' });
  t.equal(launched.output, CAPABILITIES);
  t.equal(launched.code, 0);
});

t.test('what gives up the rights of root has no warnings', { skip: skipWithout('perl') }, async (t) => {
  const { code, output } = await run('perl', ['-wc', `${LAUNCHER}-as-user`]);
  t.equal(output.trim(), `${LAUNCHER}-as-user syntax OK`);
  t.equal(code, 0);
});

const skipNotRoot = process.getuid?.() === 0 ? skipWithout('perl', 'getent') : 'not root';

t.test('it runs as whoever APT says, with no other rights', { skip: skipNotRoot }, async (t) => {
  const [uid, gid] = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).split(':').slice(2, 4);
  const user = 'APT::Sandbox::User';
  const cases: readonly [string, Readonly<Record<string, string>>, dropped: boolean][] = [
    ['as APT has it', { [user]: 'nobody' }, true],
    ['in other letters, the last one counts', { [user]: 'root', 'apt::sandbox::user': 'nobody' }, true],
    ['for this method alone', { [`Binary::debtorrent::${user}`]: '%6eobody' }, true],
    ['for this method alone, root', { [user]: 'nobody', [`Binary::debtorrent::${user}`]: 'root' }, false],
    ['debugging', { [user]: 'nobody', 'Debug::NoDropPrivs': 'true' }, false],
    ['nobody said', {}, false],
  ];
  for (const [what, configuration, dropped] of cases) {
    const { daemon, method, directory, filename, uri } = await stageForPath(t, configuration);
    chmodSync(directory, 0o777);
    daemon.serve(PATH, data);
    method.acquire({ URI: uri, Filename: filename, ...expected });
    t.equal((await method.answer(uri)).code, 201, what);
    const status = readFileSync(`/proc/${method.child.pid}/status`, 'utf8');
    const ids = ['Uid', 'Gid'].map((name) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1]);
    const all = (id: string | undefined) => [id, id, id, id].join('\t');
    t.same(ids, dropped ? [all(uid), all(gid)] : [all('0'), all('0')], what);
    if (dropped) t.match(status, new RegExp(`^Groups:\\t${gid} *$`, 'm'), what);
    if (dropped) t.match(status, /^CapEff:\t0+$/m, what);
  }
  const stranger = new MethodProcess();
  t.teardown(() => stranger.close());
  stranger.configure({ [user]: 'no-such-user' });
  t.equal((await stranger.wait(({ code }) => code === 401)).code, 401);
  t.equal(await stranger.exited, 112);
});

t.test('nothing about a file is said before the configuration', async (t) => {
  const { daemon } = await stageForPath(t);
  const early = new MethodProcess();
  t.teardown(() => early.close());
  await early.wait(({ code }) => code === 100);
  early.acquire({ URI: daemon.uri(PATH), Filename: '/nowhere' });
  early.child.stdin?.end();
  t.equal(await early.exited, 0);
  t.same(
    early.said.map(({ code }) => code),
    [100],
  );
});

t.test('a file: written anew, hashed, dated', async (t) => {
  const { daemon, method, directory, filename, uri } = await stageForPath(t);
  const elsewhere = join(directory, 'elsewhere');
  writeFileSync(elsewhere, 'somebody else’s');
  symlinkSync(elsewhere, filename);
  daemon.serve(PATH, data, { 'Last-Modified': 'Sun, 06 Nov 1994 08:49:37 GMT' });
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const done = await method.answer(uri);
  t.equal(done.code, 201);
  t.equal(done.get('SHA256-Hash'), sha256);
  t.equal(done.get('MD5Sum-Hash'), undefined, 'one strong hash is enough for APT');
  t.equal(done.get('Size'), String(data.length));
  t.equal(done.get('Checksum-FileSize-Hash'), String(data.length));
  t.equal(done.get('Last-Modified'), 'Sun, 06 Nov 1994 08:49:37 GMT');
  t.equal(done.get('Filename'), filename);
  t.ok(readFileSync(filename).equals(data));
  t.ok(lstatSync(filename).isFile(), 'in place of the link');
  t.equal(statSync(filename).mtimeMs, Date.UTC(1994, 10, 6, 8, 49, 37));
  t.equal(readFileSync(elsewhere, 'utf8'), 'somebody else’s', 'what it pointed to is as it was');
  t.equal(daemon.requests[0]?.headers['x-debtorrent-expected-sha256'], sha256);
});

t.test('the hash is that of the bytes that were written, whatever was expected', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  const other = Buffer.alloc(data.length, 'x');
  daemon.serve(PATH, other);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const done = await method.answer(uri);
  t.equal(done.get('SHA256-Hash'), createHash('sha256').update(other).digest('hex'), 'APT finds the mismatch');
});

t.test('Acquire::ForceHash, and files of which only a weak hash is known', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t, { 'Acquire::ForceHash': 'MD5Sum' });
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const md5 = createHash('md5').update(data).digest('hex');
  t.equal((await method.answer(uri)).get('MD5Sum-Hash'), md5);
  const weak = await stageForPath(t);
  weak.daemon.serve(PATH, data);
  weak.method.acquire({ URI: weak.uri, Filename: weak.filename, 'Expected-MD5Sum': md5 });
  const done = await weak.method.answer(weak.uri);
  t.equal(done.get('MD5Sum-Hash'), md5);
  t.equal(done.get('SHA256-Hash'), sha256);
});

t.test('what an earlier run left is gone on with', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  writeFileSync(filename, data.subarray(0, 20_000));
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const done = await method.answer(uri);
  t.equal(done.get('SHA256-Hash'), sha256);
  t.equal(done.get('Resume-Point'), '20000');
  t.match(daemon.requests[0]?.headers, { range: 'bytes=20000-', 'if-range': `"${sha256}"` });
});

t.test('a part of another file is found out, and the file fetched as a whole', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  writeFileSync(filename, Buffer.alloc(20_000, 'x'));
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  t.equal((await method.answer(uri)).get('SHA256-Hash'), sha256);
  t.same(
    daemon.requests.map(({ headers }) => headers.range),
    ['bytes=20000-', undefined],
  );
});

t.test('a file that is there already needs no request; one that is too long is fetched anew', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  writeFileSync(filename, data);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  t.equal((await method.answer(uri)).get('SHA256-Hash'), sha256);
  t.equal(daemon.requests.length, 0);
  const longer = await stageForPath(t);
  writeFileSync(longer.filename, Buffer.concat([data, data]));
  longer.daemon.serve(PATH, data);
  longer.method.acquire({ URI: longer.uri, Filename: longer.filename, ...expected });
  t.equal((await longer.method.answer(longer.uri)).get('SHA256-Hash'), sha256);
});

t.test('an answer that ends short is asked for again, from where it ended', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  let times = 0;
  daemon.answer(PATH, (req, res) => {
    if (times++ > 0) {
      daemon.serve(PATH, data);
      res.writeHead(206, {
        'Content-Range': `bytes 30000-${data.length - 1}/${data.length}`,
        'Content-Length': data.length - 30_000,
      });
      res.end(data.subarray(30_000));
      return;
    }
    res.writeHead(200, { 'Content-Length': data.length });
    res.write(data.subarray(0, 30_000), () => req.socket.destroy());
  });
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const done = await method.answer(uri);
  t.equal(done.get('SHA256-Hash'), sha256);
  t.equal(daemon.requests[1]?.headers.range, 'bytes=30000-');
});

t.test('a Release that has not changed is a hit, and nothing is left', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
  daemon.answer(PATH, (req, res) => {
    res.writeHead(req.headers['if-modified-since'] === date ? 304 : 200);
    res.end();
  });
  method.acquire({ URI: uri, Filename: filename, 'Last-Modified': date, 'Index-File': 'true', 'Maximum-Size': 10 });
  const hit = await method.answer(uri);
  t.equal(hit.code, 201);
  t.equal(hit.get('IMS-Hit'), 'true');
  t.equal(hit.get('Filename'), filename);
  t.equal(hit.get('Last-Modified'), date);
  t.notOk(existsSync(filename));
});

t.test('errors of the daemon: what may pass is tried again by APT, what is wrong is not', async (t) => {
  const cases = [
    [404, 'NOT_FOUND', 'HttpError404', false],
    [403, 'HOST_NOT_ALLOWED', 'HttpError403', false],
    [503, 'MIRROR_UNREACHABLE', 'HttpError503', true],
    [504, 'MIRROR_TIMEOUT', 'Timeout', true],
    [502, 'HASH_MISMATCH', 'HashSumMismatch', false],
    [502, 'TOO_LARGE', 'MaximumSizeExceeded', false],
    [500, 'no code of ours', 'HttpError500', true],
    [418, '__proto__', 'HttpError418', false],
  ] as const;
  const { daemon, method, filename } = await stageForPath(t);
  for (const [status, code, reason, transient] of cases) {
    const path = `/mirror.example/${status}/${encodeURIComponent(code)}`;
    daemon.answer(path, (_, res) => daemon.fail(res, status, code, 'why\r\nFake-Field: yes'));
    method.acquire({ URI: daemon.uri(path), Filename: filename, ...expected });
    const failed = await method.answer(daemon.uri(path));
    t.equal(failed.code, 400, code);
    t.equal(failed.get('FailReason'), reason, code);
    t.equal(failed.get('Transient-Failure'), transient ? 'true' : undefined, code);
    t.match(failed.get('Message'), /why/, code);
    t.equal(failed.get('Fake-Field'), undefined, 'one line');
  }
});

t.test('a failure that the daemon tells beforehand needs no request', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  daemon.wanted = (wants) => {
    for (const { id } of wants) daemon.tell({ failed: [{ id, code: 'HOST_NOT_ALLOWED', message: 'not on the list' }] });
  };
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const failed = await method.answer(uri);
  t.match(failed.get('Message'), /HOST_NOT_ALLOWED not on the list/);
  t.equal(daemon.requests.length, 0);
});

t.test('never more than APT allows', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: filename, 'Maximum-Size': 1000 });
  t.equal((await method.answer(uri)).get('FailReason'), 'MaximumSizeExceeded');
  t.notOk(existsSync(filename), 'it was not begun');
  const unknown = daemon.uri('/mirror.example/unknown');
  daemon.answer('/mirror.example/unknown', (_, res) => {
    res.write(data.subarray(0, 900));
    res.end(data);
  });
  method.acquire({ URI: unknown, Filename: filename, 'Maximum-Size': 1000 });
  t.equal((await method.answer(unknown)).get('FailReason'), 'MaximumSizeExceeded');
  t.ok(statSync(filename).size <= 1000);
});

t.test('redirections become those of APT, to schemes that it has methods for', async (t) => {
  const { daemon, method, filename, uri } = await stageForPath(t);
  daemon.answer(PATH, (_, res) => res.writeHead(301, { Location: 'http://other.example/a.deb' }).end());
  method.acquire({ URI: uri, Filename: filename, ...expected });
  const moved = await method.answer(uri);
  t.equal(moved.code, 103);
  t.equal(moved.get('New-URI'), 'http://other.example/a.deb');
  for (const to of ['file:///etc/shadow', '/elsewhere', 'rred:/x', 'http+store://x/']) {
    const path = `/mirror.example/${encodeURIComponent(to)}`;
    daemon.answer(path, (_, res) => res.writeHead(302, { Location: to }).end());
    method.acquire({ URI: daemon.uri(path), Filename: filename, ...expected });
    t.equal((await method.answer(daemon.uri(path))).code, 400, to);
  }
});

t.test('targets that are no files are left alone', async (t) => {
  const { daemon, method, directory, uri } = await stageForPath(t);
  daemon.serve(PATH, data);
  for (const filename of ['/dev/null', directory, '', '.', join(directory, 'no/such/place')]) {
    method.acquire({ URI: `${uri}?${filename}`, Filename: filename });
    daemon.serve(`${PATH}?${filename}`, data);
    t.equal((await method.answer(`${uri}?${filename}`)).code, 400, filename);
  }
  t.ok(lstatSync('/dev/null').isCharacterDevice());
});

t.test('URIs that are none of ours', async (t) => {
  const { method, filename } = await stageForPath(t);
  for (const uri of [
    'debtorrent://user:secret@127.0.0.1/mirror.example/a',
    'debtorrent://127.0.0.1:0/mirror.example/a',
    'debtorrent://127.0.0.1:99999/mirror.example/a',
    'http://127.0.0.1/mirror.example/a',
    'debtorrent://127.0.0.1/',
    'debtorrent:///mirror.example/a',
  ]) {
    method.acquire({ URI: uri, Filename: filename });
    t.equal((await method.answer(uri)).get('FailReason'), 'BAD_TARGET', uri);
  }
});

t.test('what is not APT on standard input', async (t) => {
  const method = new MethodProcess();
  t.teardown(() => method.close());
  method.configure();
  method.write('600 URI Acquire\nFilename: /x\n\n700 Something new\nURI: x\n\n');
  method.write('GET / HTTP/1.1\nHost: x\n\n');
  t.equal(await method.exited, 100);
  t.match(method.said.at(-1), { code: 401 });
});

t.test('a daemon that speaks something else is none: files come from the mirror', async (t) => {
  // longer than the test may take: silence is not what tells
  const { method, filename } = await stageForPath(t, { 'Acquire::debtorrent::Timeout': '600' });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write('SSH-2.0-OpenSSH_9.2\r\n')); // and waits
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const uris = [PATH, '/HTTPS///mirror.example/debian/b.deb'].map(
    (path) => `debtorrent://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
  );
  for (const uri of uris) method.acquire({ URI: uri, Filename: `${filename}${uri.length}`, ...expected });
  const moved = await Promise.all(uris.map((uri) => method.answer(uri)));
  t.same(
    moved.map((answer) => [answer.code, answer.get('New-URI')]),
    [
      [103, 'http://mirror.example/debian/pool/a_1%2b1.deb'],
      [103, 'https://mirror.example/debian/b.deb'],
    ],
  );
  t.equal(method.said.filter(({ code }) => code === 104).length, 1, 'one warning');
});

t.test('a control connection that goes wrong costs nothing but its help', async (t) => {
  for (const nonsense of [
    'no JSON\n',
    '[]\n',
    '{"ready":[-1]}\n',
    '{"ready":[4711],"failed":[]}\n',
    '{"figures":{}}\n',
    '',
  ]) {
    const { daemon, method, filename, uri } = await stageForPath(t);
    daemon.control = (socket) => {
      if (nonsense === '') socket.end();
      else socket.write(nonsense.includes('4711') ? `${nonsense}{\n` : nonsense);
    };
    daemon.serve(PATH, data);
    method.acquire({ URI: uri, Filename: filename, ...expected });
    t.equal((await method.answer(uri)).get('SHA256-Hash'), sha256, nonsense);
  }
});

t.test('a Unix socket of the configuration is used, and TCP when it is dead', async (t) => {
  const { daemon, method, directory, filename, uri } = await stageForPath(t, {
    'Acquire::debtorrent::Socket': '/nonexistent/apt.sock',
  });
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: filename, ...expected });
  t.equal((await method.answer(uri)).code, 201);
  const dead = join(directory, 'dead.sock');
  const left = createServer();
  await new Promise<void>((resolve) => left.listen(dead, resolve));
  // closing removes the file: what a killed daemon leaves is a second name of it
  const copy = join(directory, 'left.sock');
  await run('ln', [dead, copy]);
  await new Promise((resolve) => left.close(resolve));
  const second = await stageForPath(t, { 'Acquire::debtorrent::Socket': copy });
  second.daemon.serve(PATH, data);
  second.method.acquire({ URI: second.uri, Filename: second.filename, ...expected });
  t.equal((await second.method.answer(second.uri)).code, 201);
});

const root = process.getuid?.() === 0;

t.test('root gives up its rights before it writes', { skip: !root && 'not run by root' }, async (t) => {
  const { daemon, method, directory, uri } = await stageForPath(t, { 'APT::Sandbox::User': 'nobody' });
  const partial = join(directory, 'partial');
  mkdirSync(partial, { mode: 0o700 });
  chownSync(partial, 65534, 65534);
  chownSync(directory, 65534, 65534);
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: join(partial, 'a.deb'), ...expected });
  t.equal((await method.answer(uri)).code, 201);
  const { uid, gid } = statSync(join(partial, 'a.deb'));
  t.same([uid, gid], [65534, 65534]);
  const status = readFileSync(`/proc/${method.child.pid}/status`, 'utf8');
  t.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
  t.match(status, /^Groups:\t65534 $/m);
});

t.test('a user that does not exist', { skip: !root && 'not run by root' }, async (t) => {
  const { method } = await stageForPath(t, { 'APT::Sandbox::User': 'no-such-user' });
  t.equal(await method.exited, 112);
});

t.test('a full disk is said to be one', { skip: skipWithoutMount() }, async (t) => {
  const { daemon, method, directory, uri } = await stageForPath(t);
  const small = join(directory, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', small]);
  t.teardown(() => execFileSync('umount', [small]));
  daemon.serve(PATH, data);
  method.acquire({ URI: uri, Filename: join(small, 'a.deb'), ...expected });
  const failed = await method.answer(uri);
  t.equal(failed.get('FailReason'), 'DiskFull');
  t.match(failed.get('Message'), /no space left/i);
  t.equal(failed.get('Transient-Failure'), undefined);
});

/** Another HTTP server at the daemon's address is no daemon, whatever it answers. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { skipWithoutApt } from '../support/process.ts';
import { downloaded, hashesOf, Scene } from '../support/scene.ts';
import { MethodProcess } from './fixtures/method-process.ts';

t.setTimeout(600_000);

type Answering = (res: ServerResponse) => void;

/** Listens on a free port, which is returned; answers everything alike, CONNECT too when it is told how. */
async function stranger(
  t: { teardown(step: () => unknown): void },
  answering: Answering,
  connect?: string,
): Promise<number> {
  const server = createServer((_, res) => answering(res));
  if (connect !== undefined) server.on('connect', (_, socket) => socket.write(connect));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const page = (status: number, headers: Readonly<Record<string, string>> = {}): Answering => {
  return (res) => void res.writeHead(status, { 'Content-Type': 'text/html', ...headers }).end('<html>hello</html>');
};

const answers: Readonly<Record<string, Answering>> = {
  'a page for every address': page(200),
  'a login elsewhere': page(302, { Location: 'http://login.example/' }),
  'a bad request': page(400),
  'a login': page(401, { 'WWW-Authenticate': 'Basic' }),
  'a refusal': page(403),
  'nothing there': page(404),
  'an error': page(500),
  'an error that may pass': page(503),
};

t.test('a file of which all or nothing is known is redirected to the mirror', async (t) => {
  const expected = { 'Expected-SHA256': 'a'.repeat(64), 'Expected-Checksum-FileSize': 18 };
  const connects = [
    undefined,
    'HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n<html>hello</html>',
  ];
  for (const [what, answering] of Object.entries(answers)) {
    for (const connect of connects) {
      const port = await stranger(t, answering, connect);
      const method = new MethodProcess();
      t.teardown(() => method.close());
      // longer than the test may take: silence is not what tells
      method.configure({ 'Acquire::debtorrent::Timeout': '600' });
      for (const [name, fields] of Object.entries({ InRelease: {}, 'a.deb': expected })) {
        const uri = `debtorrent://127.0.0.1:${port}/mirror.example/debian/${name}`;
        method.acquire({ URI: uri, Filename: join(tmpdir(), `dt-none-${port}`), ...fields });
        const moved = await method.answer(uri);
        t.equal(moved.get('New-URI'), `http://mirror.example/debian/${name}`, `${what}, ${name}`);
      }
      t.equal(method.said.filter(({ code }) => code === 104).length, 1, `${what}: one warning`);
    }
  }
});

t.test('APT updates and fetches all the same', { skip: skipWithoutApt }, async (t) => {
  const names = Array.from({ length: 5 }, (_, n) => `pkg${n}`);
  const scene = await Scene.start(t, { state: { add: names.map((name) => ({ name })) } });
  await scene.daemon.stop();
  for (const what of ['a page for every address', 'nothing there'] as const) {
    const port = await stranger(t, answers[what] as Answering);
    const apt = scene.apt('method', { daemon: `http://127.0.0.1:${port}` });
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    t.equal(updated.output.match(/^W: .*no DebTorrent on .*something else/gm)?.length, 1, updated.output);
    const got = await apt.installDownloadOnly(...names);
    t.same(downloaded(got), hashesOf(scene.archive, ...names), got.output);
  }
});

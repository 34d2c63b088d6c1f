import t from 'tap';
import { request } from 'node:http';
import { skipWithoutApt } from '../support/process.ts';
import { exchange, requestText } from '../support/raw-http.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { Scene, isWhole } from '../support/scene.ts';

t.setTimeout(600_000);

t.test('bare LF, huge headers, absolute URI with another Host, .. in paths', { skip: skipWithoutApt }, async (t) => {
  const scene = await Scene.start(t, { state: { add: [{ name: 'tool' }] } });
  const { archive, mirror, daemon } = scene;
  await scene.adopt();
  const file = `/${mirror.host}${archive.url(archive.file('tool').path)}`;
  const send = async (bytes: string | Buffer): Promise<RawAnswer | undefined> =>
    (await exchange(daemon.target, bytes))[0];
  const isRefused = (answer: RawAnswer | undefined, ...statuses: number[]): boolean =>
    answer !== undefined &&
    statuses.includes(answer.status) &&
    answer.body.length > 0 &&
    answer.headers['content-length'] === String(answer.body.length) &&
    answer.headers['x-debtorrent-error'] !== undefined;
  const alive = async (): Promise<boolean> => isWhole(await scene.get(archive.file('tool').path), archive.file('tool'));

  await t.test('bare LF, and other malformed requests', async (t) => {
    const forms: Record<string, string> = {
      'bare LF': `GET ${file} HTTP/1.1\nHost: x\n\n`,
      'bare LF in headers': `GET ${file} HTTP/1.1\r\nHost: x\nX: y\r\n\r\n`,
      'space before the colon': `GET ${file} HTTP/1.1\r\nHost : x\r\n\r\n`,
      'no Host': `GET ${file} HTTP/1.1\r\n\r\n`,
      'two Hosts': `GET ${file} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
      'a folded header': `GET ${file} HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n`,
      'a NUL in a header': `GET ${file} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`,
      'a header without a name': `GET ${file} HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n`,
      'an unknown version': `GET ${file} HTTP/3.9\r\nHost: x\r\n\r\n`,
      'no version': `GET ${file}\r\n\r\n`,
      'spaces in the target': `GET ${file} x HTTP/1.1\r\nHost: x\r\n\r\n`,
      'bytes above 127 in the target': `GET ${file}\xff HTTP/1.1\r\nHost: x\r\n\r\n`,
      nonsense: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    };
    for (const [name, bytes] of Object.entries(forms)) {
      t.ok(isRefused(await send(Buffer.from(bytes, 'latin1')), 400), name);
    }
    t.ok(await alive());
  });

  await t.test('bodies and lengths that smuggle', async (t) => {
    const smuggled = `GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`;
    const forms: Record<string, string[]> = {
      'both lengths': ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      'two lengths': ['Content-Length: 0', 'Content-Length: 30'],
      'a length with a sign': ['Content-Length: +30'],
      'a length in hexadecimal': ['Content-Length: 0x1e'],
      'a negative length': ['Content-Length: -1'],
      'an unknown coding': ['Transfer-Encoding: xchunked'],
      'chunked twice': ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    };
    for (const [name, headers] of Object.entries(forms)) {
      const answers = await exchange(daemon.target, requestText('GET', file, 'x', headers) + smuggled, {
        answers: 2,
      });
      t.ok(isRefused(answers[0], 400), `${name}: ${answers[0]?.status}`);
      t.equal(answers.length, 1, `${name}: the connection ends there`);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']) {
      t.ok(isRefused(await send(requestText(method, file, 'x', ['Content-Length: 0'])), 405), method);
    }
    t.ok(await alive());
  });

  await t.test('huge headers, absurd targets', async (t) => {
    const refused = [400, 413, 414, 431];
    const long = 'x'.repeat(100_000);
    t.ok(isRefused(await send(requestText('GET', file, 'x', [`X-Long: ${long}`])), ...refused), 'a long header');
    const many = Array.from({ length: 5000 }, (_, n) => `X-${n}: 1`);
    t.ok(isRefused(await send(requestText('GET', file, 'x', many)), ...refused), 'many headers');
    t.ok(isRefused(await send(requestText('GET', `${file}/${long}`, 'x')), ...refused), 'a long target');
    t.ok(isRefused(await send(requestText('GET', `${file}/${'x'.repeat(9000)}`, 'x')), ...refused), 'a longish one');
    const manyRanges = Array.from({ length: 1000 }, (_, n) => `${n}-${n}`).join(',');
    const ranges = await send(requestText('GET', file, 'x', [`Range: bytes=${manyRanges}`]));
    t.ok(ranges !== undefined && [200, 400, 416].includes(ranges.status), 'a thousand ranges');
    t.ok(await alive());
  });

  await t.test('absolute URI with another Host', async (t) => {
    const target = `${mirror.url}${archive.url(archive.file('tool').path)}`;
    t.ok(isRefused(await send(requestText('GET', target, 'elsewhere.example')), 400), 'another host');
    t.ok(isRefused(await send(requestText('GET', target, '127.0.0.1')), 400), 'another port');
    const right = await send(requestText('GET', target, mirror.host));
    t.ok(right !== undefined && isWhole(right, archive.file('tool')));
  });

  await t.test('.. in paths', async (t) => {
    mirror.forget();
    const paths = [
      `/${mirror.host}/debian/../../etc/passwd`,
      `/${mirror.host}/../etc/passwd`,
      `/${mirror.host}/debian/%2e%2e/%2e%2e/etc/passwd`,
      `/${mirror.host}/debian/.%2e/x`,
      `/${mirror.host}/debian/..%2fx`,
      `/${mirror.host}/debian/..%5cx`,
      `/${mirror.host}/debian/%00`,
      `/${mirror.host}/debian/%0d%0aX:%20y`,
      `/${mirror.host}/debian/%zz`,
      `/${mirror.host}/debian/%`,
      '/../../etc/passwd',
      '/HTTPS///../x',
      `http://${mirror.host}/debian/../x`,
      `http://user:secret@${mirror.host}/x`,
      `http://${mirror.host}:99999/x`,
      'http:///x',
      'ftp://127.0.0.1/x',
      'file:///etc/passwd',
      '*',
      '//',
    ];
    for (const target of paths) {
      const host = target.startsWith('http://') ? mirror.host : daemon.ready.http;
      const answer = await send(requestText('GET', target, host));
      t.ok(isRefused(answer, 400, 403, 404, 405), `${target} gives ${answer?.status}`);
      t.notMatch(answer?.body.toString() ?? '', 'root:');
    }
    t.same(
      mirror.log.map(({ target }) => target).filter((target) => /\.\.|%2e|\0|\r/i.test(target)),
      [],
      'the mirror saw none of them',
    );
  });

  await t.test('hosts off the list, loopback, link-local and private targets', async (t) => {
    const port = mirror.port + 1 > 65_535 ? 1024 : mirror.port + 1;
    const hosts = [
      `127.0.0.1:${port}`,
      '127.0.0.1',
      `localhost:${mirror.port}`,
      `[::1]:${mirror.port}`,
      `[::ffff:127.0.0.1]:${mirror.port}`,
      `2130706433:${mirror.port}`,
      `0x7f.1:${mirror.port}`,
      `127.1:${mirror.port}`,
      `0.0.0.0:${mirror.port}`,
      '169.254.169.254',
      '10.0.0.1',
      '192.168.1.1',
      '[fe80::1]',
      'elsewhere.example',
    ];
    mirror.forget();
    for (const host of hosts) {
      const prefix = await send(requestText('GET', `/${host}/debian/x`, daemon.ready.http));
      t.ok(isRefused(prefix, 403, 400), `${host} gives ${prefix?.status}`);
      const proxy = await send(requestText('GET', `http://${host}/debian/x`, host));
      t.ok(isRefused(proxy, 403, 400), `${host} as a proxy gives ${proxy?.status}`);
    }
    t.same(mirror.log, []);
    t.ok(await alive());
  });

  await t.test('pages of the daemon are for its own names only', async (t) => {
    for (const page of ['/', '/status.json', '/metrics', '/healthz', '/readyz']) {
      t.equal((await daemon.request(page)).status, 200, page);
    }
    for (const page of ['/', '/status.json', '/status.events', '/metrics', '/healthz', '/readyz']) {
      const rebound = await send(requestText('GET', page, 'attacker.example'));
      t.ok(isRefused(rebound, 421, 403), `${page} for another name gives ${rebound?.status}`);
    }
    t.equal((await daemon.request('/healthz', { host: `localhost:${daemon.port}` })).status, 200);
  });

  await t.test('clients that send slowly or leave are let go', async (t) => {
    const halves = Array.from({ length: 50 }, () =>
      exchange(daemon.target, `GET ${file} HTTP/1.1\r\nHost:`, { timeoutMs: 200 }),
    );
    await Promise.all(halves);
    t.ok(await alive());
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ port: daemon.port, path: file }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    t.equal(status, 200, 'an ordinary client library works');
  });
});

/** The simulated client next to the real apt-get, before the same server: what one sends, the other has to send. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { AptFetcher, type Wanted } from '../../../scripts/loadtest/client/apt-fetcher.ts';
import { ReadBuffer } from '../../../scripts/loadtest/client/connection.ts';
import { routeTo } from '../../../scripts/loadtest/client/route.ts';
import { simulateUser } from '../../../scripts/loadtest/client/apt-user.ts';
import { Sampler, zipfWeights } from '../../../scripts/loadtest/load/popularity.ts';
import { generateArchive } from '../../../scripts/loadtest/archive/generated.ts';
import { Tally } from '../../../scripts/loadtest/measure/tally.ts';
import { createScope } from '../../../scripts/support/scope.ts';
import { Apt } from '../../support/apt.ts';
import { Mirror } from '../../support/mirror.ts';
import type { MirrorRequest } from '../../support/mirror-fault.ts';
import { run, skipWithoutApt, until } from '../../support/process.ts';
import { sha256 } from '../../support/random.ts';

const HELPER = '/usr/lib/apt/apt-helper';

/** Without what differs from one version of APT to the next. */
function asked(requests: readonly MirrorRequest[]): string[] {
  return requests.map(({ target, headers }) => {
    const shown = Object.entries(headers).map(([name, value]) => `${name}: ${name === 'user-agent' ? 'APT' : value}`);
    return [target, ...shown].join('\n');
  });
}

for (const form of ['direct', 'proxy'] as const) {
  t.test(`update and download, ${form}: the same requests, head by head`, { skip: skipWithoutApt }, async (t) => {
    const scope = createScope();
    t.teardown(() => scope.close());
    const archive = await generateArchive(scope, { seed: form, packages: 20, bytes: 200_000, directory: tmpdir() });
    const mirror = await Mirror.start({ root: archive.root });
    t.teardown(() => mirror.close());
    const site = form === 'proxy' ? 'mirror.example' : mirror.host;
    const { keyring = '' } = archive;
    const apt = new Apt({
      uri: `http://${site}/${archive.base}`,
      suite: `${archive.suite} main`,
      keyring,
      languages: 'none',
      ...(form === 'proxy' ? { form, daemon: mirror.url } : {}),
    });
    t.teardown(() => apt.close());
    const load = { seed: 's', clients: 1, packagesEach: 20, sessions: 2, rampMs: 0, thinkMs: 0, leave: 0 };
    const observer = new Tally();
    await simulateUser(0, {
      load,
      archive,
      sampler: new Sampler(zipfWeights(20, 1)),
      route: routeTo({ host: '127.0.0.1', port: mirror.port }, form, site, archive.base),
      observer,
      into: new ReadBuffer(),
      signal: new AbortController().signal,
    });
    t.same(observer.counts.errors, {});
    const simulated = asked(mirror.log);
    const connections = mirror.connections;
    const order = mirror.log.flatMap(({ path }) => archive.packages.find((one) => path.endsWith(one.path))?.name ?? []);
    mirror.forget();
    for (const names of [order.slice(0, 20), order.slice(20)]) {
      const updated = await apt.update();
      t.equal(updated.code, 0, updated.output);
      const got = await apt.download(...names);
      t.equal(got.code, 0, got.output);
    }
    // apt-get download asks in an order of its own
    t.same(simulated.toSorted(), asked(mirror.log).toSorted());
    const lists = (heads: readonly string[]): string[] => heads.filter((head) => head.includes('/dists/'));
    t.same(lists(simulated), lists(asked(mirror.log)));
    t.equal(connections, mirror.connections - connections, 'over as many connections');
  });
}

/** A server that answers when it is told to, and counts what it has been asked. */
async function holding(t: Test, body: Buffer) {
  let seen = 0;
  let answered = 0;
  let most = 0;
  let answer = (): void => undefined;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      seen += data.toString('latin1').split('\r\n\r\n').length - 1;
      most = Math.max(most, seen - answered);
    });
    answer = () => {
      answered += 1;
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n`,
      );
      socket.write(body);
    };
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { port, seen: () => seen, most: () => most, answer: () => answer() };
}

const FILES = 25;

/** Answers one request, waits for what that sets free, and answers the rest one by one. */
async function outstanding(server: Awaited<ReturnType<typeof holding>>, over: Promise<unknown>) {
  await until('the first request', () => server.seen() > 0);
  const first = server.seen();
  server.answer();
  let done = false;
  void over.then(() => (done = true));
  for (let answered = 1; answered < FILES; answered++) {
    await until('the next request', () => server.seen() > answered || done);
    if (answered === 1) await until('ten requests', () => server.seen() >= 11);
    server.answer();
  }
  await over;
  return { first, most: server.most(), all: server.seen() };
}

t.test('pipelining: one request on a new connection, then up to ten', { skip: skipWithoutApt }, async (t) => {
  const body = Buffer.from('package');
  const hash = sha256(body);
  const simulated = await holding(t, body);
  const fetcher = new AptFetcher({
    route: routeTo({ host: '127.0.0.1', port: simulated.port }, 'direct', '', 'debian'),
    observer: new Tally(),
    into: new ReadBuffer(),
  });
  t.teardown(() => fetcher.close());
  const wanted = Array.from({ length: FILES }, (_, i): Wanted => ({
    path: `${i}.deb`,
    kind: 'package',
    size: 7,
    sha256: hash,
  }));
  const ours = await outstanding(simulated, fetcher.fetchAll(wanted));

  const real = await holding(t, body);
  const out = mkdtempSync(join(tmpdir(), 'dt-helper-'));
  t.teardown(() => rmSync(out, { recursive: true }));
  const files = wanted.flatMap(({ path }) => [
    `http://127.0.0.1:${real.port}/debian/${path}`,
    join(out, path),
    `SHA256:${hash}`,
  ]);
  const helper = run(HELPER, ['-o', 'APT::Sandbox::User=root', 'download-file', ...files]);
  t.same(ours, await outstanding(real, helper));
  t.same(ours, { first: 1, most: 10, all: FILES });
});

/** A cache stands between the daemon and the mirror, as a provider's or a company's does. */
import t from 'tap';
import { once } from 'node:events';
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { skipWithoutApt } from '../support/process.ts';
import { Scene, downloaded, hashesOf } from '../support/scene.ts';

t.setTimeout(600_000);

interface Kept {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Keeps whatever it was given for hours, as RFC 9111 section 4.2.2 allows, unless it is told to ask the mirror. */
class Cache {
  readonly asked: { readonly url: string; readonly control: string | undefined }[] = [];
  readonly #kept = new Map<string, Kept>();
  mirrorPort = 0;
  readonly #server = createServer((req, res) => {
    const { url = '' } = req;
    const control = req.headers['cache-control'];
    this.asked.push({ url, control });
    const kept = /max-age=0|no-cache/.test(control ?? '') ? undefined : this.#kept.get(url);
    void (kept === undefined ? this.#fetch(url) : Promise.resolve(kept)).then(({ status, headers, body }) => {
      res.writeHead(status, { ...headers, 'content-length': body.length });
      res.end(body);
    });
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #fetch(url: string): Promise<Kept> {
    const req = request({ host: '127.0.0.1', port: this.mirrorPort, path: url }).end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    const body = Buffer.concat(await res.toArray());
    const kept = { status: res.statusCode ?? 0, headers: res.headers, body };
    this.#kept.set(url, kept);
    return kept;
  }
}

/** The last one: the Release says that there are names by-hash, and the mirror has none. */
for (const what of ['with by-hash', 'without by-hash', 'with by-hash missing']) {
  const byHash = what !== 'without by-hash';
  t.test(`a cache in between is told to ask the mirror for metadata, ${what}`, { skip: skipWithoutApt }, async (t) => {
    const cache = new Cache();
    const host = await cache.start();
    t.teardown(() => cache.close());
    const scene = await Scene.start(t, {
      state: { add: [{ name: 'pkg1' }, { name: 'pkg2' }] },
      archive: { byHash },
      daemon: { mirrors: [host] },
    });
    const { archive } = scene;
    cache.mirrorPort = scene.mirror.port;
    if (what === 'with by-hash missing') scene.mirror.rule(/\/by-hash\//, { status: 404 });
    const apt = scene.apt('prefix', { uri: `http://${host}${archive.url('').replace(/\/$/, '')}` });
    t.equal((await apt.update()).code, 0);
    archive.publish({ add: [{ name: 'pkg1', version: '2.0' }] });
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const got = await apt.download('pkg1', 'pkg2');
    t.same(downloaded(got), hashesOf(archive, 'pkg1', 'pkg2'), `what is on the mirror now\n${got.output}`);
    for (const { url, control } of cache.asked) {
      const replaced = /\/dists\//.test(url) && !/\/by-hash\//.test(url);
      t.equal(control, replaced ? 'max-age=0' : undefined, url);
    }
  });
}

t.test('what a client wants anew, the cache in between is asked for anew', async (t) => {
  const cache = new Cache();
  const host = await cache.start();
  t.teardown(() => cache.close());
  const scene = await Scene.start(t, { state: { add: [{ name: 'pkg1' }] }, daemon: { mirrors: [host] } });
  const { archive, daemon } = scene;
  cache.mirrorPort = scene.mirror.port;
  const get = async (...headers: readonly string[]) =>
    (await daemon.get(host, archive.url('notes.txt'), headers)).body.toString();
  archive.write('notes.txt', 'old');
  t.equal(await get(), 'old');
  archive.write('notes.txt', 'new');
  t.equal(await get('Cache-Control: no-cache'), 'new');
});

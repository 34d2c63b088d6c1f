import { utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { namesInHosts } from '../../src/gateway/hosts-file.ts';
import { ownNames } from '../../src/gateway/own-names.ts';
import { temporaryDirectory } from '../actors/fixtures/fetch-stack.ts';

const HOSTS = `
# 192.0.2.9 cache.commented.example cache
127.0.0.1\tlocalhost
127.0.1.1 \tCache.Example.org.\tcache # cache.behind.example
2001:DB8:0::1 cache6.example.org cache
192.0.2.7 elsewhere.example.org cache2
::1 ip6-localhost
0.0.0.0 advertiser.example not_a_host! cache-of-somebody
`;

t.test('the hosts file has the names of this machine with their domain', async (t) => {
  const names = ['127.0.1.1', 'cache.example.org', 'cache', '2001:db8::1', 'cache6.example.org', 'cache'];
  t.same(namesInHosts(HOSTS, 'cache'), names);
  t.same(namesInHosts(HOSTS, 'CACHE'), names);
  t.same(namesInHosts(HOSTS, 'nobody'), []);
  t.same(namesInHosts(HOSTS, ''), []);
  t.same(namesInHosts('', 'cache'), []);
});

t.test('pages are for these names, too', async (t) => {
  const file = join(await temporaryDirectory(t), 'hosts');
  const before = ownNames(() => 1, '0.0.0.0', file)();
  t.ok(before.hosts.has(hostname().toLowerCase()), 'without such a file');
  writeFileSync(file, `127.0.1.1 cache.example.org ${hostname()}\n192.0.2.7 elsewhere.example.org\n`);
  let port = 1;
  const own = ownNames(() => port, '0.0.0.0', file);
  for (const name of ['cache.example.org', '127.0.1.1', 'localhost']) t.ok(own().hosts.has(name), name);
  t.notOk(own().hosts.has('elsewhere.example.org'));
  writeFileSync(file, `127.0.1.1 cache.example.net ${hostname()}\n`);
  utimesSync(file, 1, 1);
  port = 2;
  t.ok(own().hosts.has('cache.example.net'), 'the file was changed');
  t.notOk(own().hosts.has('cache.example.org'));
});

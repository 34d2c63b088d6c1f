/** nginx's proxy_cache in front of the mirror, as people set it up for packages: one fetch of a file at a time. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../support/http-client.ts';
import { freeLowPort, startProcess } from '../../support/scope.ts';
import { routeTo } from '../client/route.ts';
import { findProgram, missing, packageVersion } from './packaged.ts';
import type { Target } from './target.ts';

export const nginxCache: Target = {
  name: 'nginx',
  about: 'proxy_cache with proxy_cache_lock, packages kept, lists revalidated, in front of the mirror',
  unable: () => missing('nginx'),
  version: (scope) => packageVersion(scope, 'nginx'),
  async start(scope, { directory, mirror, archive }) {
    const home = join(directory, 'nginx');
    await mkdir(join(home, 'cache'), { recursive: true });
    const port = await freeLowPort();
    const configuration = join(home, 'nginx.conf');
    await writeFile(configuration, settings(home, port, mirror));
    const args = ['-p', home, '-e', join(home, 'error.log'), '-c', configuration];
    const child = startProcess(scope, (await findProgram('nginx')) ?? 'nginx', args, {}, 3000);
    await until(async () => existsSync(join(home, 'pid')), 10_000, 'nginx');
    return {
      routes: [routeTo({ host: '127.0.0.1', port }, 'direct', mirror, archive.base)],
      pids: () => [child.pid ?? 0],
    };
  },
};

function settings(home: string, port: number, mirror: string): string {
  return `
daemon off;
user root;
worker_processes auto;
worker_rlimit_nofile 65536;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
  proxy_cache_path ${home}/cache levels=1:2 keys_zone=packages:10m max_size=40g inactive=30d use_temp_path=off;
  upstream mirror { server ${mirror}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_cache packages;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 1h;
    proxy_cache_lock_age 1h;
    proxy_cache_revalidate on;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host ${mirror};
    proxy_max_temp_file_size 4096m;
    proxy_ignore_client_abort on;
    location / { proxy_pass http://mirror; proxy_cache_valid 200 1s; }
    location ~ (by-hash|\\.deb$) { proxy_pass http://mirror; proxy_cache_valid 200 30d; }
  }
}
`;
}

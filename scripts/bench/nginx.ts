/** nginx as the mirror and as the peer that serves cached files: its own configuration, loopback, free ports. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpStatus, until } from './http-client.ts';
import { type Scope, freeLowPort, run, startProcess, temporaryDirectory } from './scope.ts';

export interface NginxSite {
  readonly root: string;
  /** Bytes a second for each connection; 0 is no limit. */
  readonly limitRate?: number;
}

/** Starts one nginx with a server for each site and returns their ports in that order. */
export async function startNginx(scope: Scope, sites: readonly NginxSite[]): Promise<readonly number[]> {
  const home = await temporaryDirectory(scope, tmpdir(), 'bench-nginx');
  const ports: number[] = [];
  const servers: string[] = [];
  for (const site of sites) {
    const port = await freeLowPort();
    ports.push(port);
    const limit = site.limitRate === undefined || site.limitRate === 0 ? '' : `limit_rate ${site.limitRate};`;
    servers.push(`server { listen 127.0.0.1:${port} backlog=1024; root "${site.root}"; ${limit} }`);
  }
  const configuration = `
daemon off;
user root;
worker_processes auto;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  types { application/vnd.debian.binary-package deb; application/x-xz xz; }
  default_type application/octet-stream;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
  ${servers.join('\n  ')}
}
`;
  const path = join(home, 'nginx.conf');
  await writeFile(path, configuration);
  startProcess(scope, 'nginx', ['-p', home, '-e', join(home, 'error.log'), '-c', path], {}, 3000);
  for (const port of ports) await until(async () => (await httpStatus(`http://127.0.0.1:${port}/`)) > 0, 10_000, 'nginx');
  return ports;
}

export async function nginxVersion(scope: Scope): Promise<string> {
  return (await run(scope, 'nginx', ['-v'])).stderr.trim().replace(/^nginx version: /, '');
}

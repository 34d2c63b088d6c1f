/** nginx as the mirror and as the peer that serves cached files: its own configuration, loopback, free ports. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCESS_LOG_FORMAT } from './access-log.ts';
import { until } from './http-client.ts';
import { type Scope, freeLowPort, run, startProcess, temporaryDirectory } from './scope.ts';

export interface NginxSite {
  readonly root: string;
  /** Bytes a second for each connection; 0 is no limit. */
  readonly limitRate?: number;
  /** 127.0.0.1 and a free port unless given. */
  readonly address?: { readonly host: string; readonly port: number };
  /** A file for lines as access-log.ts reads them; written as answers end. */
  readonly accessLog?: string;
}

/**
 * Starts one nginx with a server for each site and returns their ports in that order.
 * @param through A command that runs the command after it, such as `ip netns exec NAME`.
 */
export async function startNginx(
  scope: Scope,
  sites: readonly NginxSite[],
  through: readonly string[] = [],
): Promise<readonly number[]> {
  const home = await temporaryDirectory(scope, tmpdir(), 'bench-nginx');
  const ports: number[] = [];
  const servers: string[] = [];
  for (const site of sites) {
    const { host, port } = site.address ?? { host: '127.0.0.1', port: await freeLowPort() };
    ports.push(port);
    const limit = site.limitRate === undefined || site.limitRate === 0 ? '' : `limit_rate ${site.limitRate};`;
    const log = site.accessLog === undefined ? '' : `access_log "${site.accessLog}" bytes;`;
    servers.push(`server { listen ${host}:${port} backlog=1024; root "${site.root}"; ${limit} ${log} }`);
  }
  const configuration = `
daemon off;
user root;
worker_processes auto;
pid ${home}/pid;
error_log ${home}/error.log;
events { worker_connections 1024; }
http {
  log_format bytes '${ACCESS_LOG_FORMAT}';
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
  const nginx = [...through, 'nginx', '-p', home, '-e', join(home, 'error.log'), '-c', path];
  startProcess(scope, nginx[0] ?? '', nginx.slice(1), {}, 3000);
  // Written once it listens; its addresses may be out of reach from here.
  await until(async () => existsSync(join(home, 'pid')), 10_000, 'nginx');
  return ports;
}

export async function nginxVersion(scope: Scope): Promise<string> {
  return (await run(scope, 'nginx', ['-v'])).stderr.trim().replace(/^nginx version: /, '');
}

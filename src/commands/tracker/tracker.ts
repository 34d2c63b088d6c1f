/** `debtorrent tracker`: a tracker over HTTP and UDP, on one port. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../core/clock.ts';
import { listenError } from '../../core/errors.ts';
import { formatAuthority } from '../../core/http/authority.ts';
import type { Endpoint } from '../../config/values.ts';
import { BoundedServer } from './bounded-server.ts';
import { createTrackerHttp } from './tracker-http.ts';
import { openTrackerUdp } from './tracker-udp.ts';

/** Where trackers usually listen; used when --listen is not given, whose own default is the daemon's. */
export const TRACKER_LISTEN: Endpoint = { host: '::', port: 6969 };

/** A port that is free for TCP may be taken for UDP: so many are tried when the system may pick one. */
const PORT_TRIES = 10;
/** Answers on their way at the end may take this long, in milliseconds. */
const DRAIN_MS = 1_000;

export interface RunningTracker {
  readonly address: string;
  readonly port: number;
  readonly server: BoundedServer;
  close(): Promise<void>;
}

/** Serves until SIGTERM or SIGINT. @throws DebtorrentError PORT_TAKEN or LISTEN_FAILED */
export async function tracker(listen: Endpoint): Promise<number> {
  const running = await startTracker(listen);
  const { address } = running;
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  process.stdout.write(`ready ${JSON.stringify({ http: address, udp: address, pid: process.pid })}\n`);
  await ended;
  await running.close();
  return 0;
}

/** @throws DebtorrentError PORT_TAKEN or LISTEN_FAILED */
export async function startTracker(listen: Endpoint, now: () => number = systemClock.now): Promise<RunningTracker> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open(listen, now);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const taken = code === 'EADDRINUSE' || code === 'EACCES';
      if (taken && listen.port === 0 && attempt < PORT_TRIES) continue;
      const where = formatAuthority(listen.host, listen.port);
      throw listenError(error, `the tracker cannot listen on ${where}`);
    }
  }
}

async function open(listen: Endpoint, now: () => number): Promise<RunningTracker> {
  const server = new BoundedServer(now);
  const http = createTrackerHttp(server);
  const sockets: { close(): void }[] = [];
  try {
    http.listen(listen.port, listen.host);
    await once(http, 'listening');
    const { address, port } = http.address() as AddressInfo;
    if (address.includes(':')) sockets.push(await openTrackerUdp(server, 6, address, port, now));
    if (!address.includes(':') || address === '::') {
      sockets.push(await openTrackerUdp(server, 4, address === '::' ? '0.0.0.0' : address, port, now));
    }
    return {
      address: formatAuthority(address, port),
      port,
      server,
      async close() {
        server.destroyed = true;
        for (const socket of sockets) socket.close();
        const cut = setTimeout(() => http.closeAllConnections(), DRAIN_MS);
        const closed = once(http, 'close');
        http.close();
        http.closeIdleConnections();
        await closed;
        clearTimeout(cut);
      },
    };
  } catch (error) {
    for (const socket of sockets) socket.close();
    http.close();
    throw error;
  }
}

import type { AddressInfo, Server } from 'node:net';

/** Listens on a port of 127.0.0.1 that is free, and prints it. */
export function listenAnywhere(server: Server): void {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${port}\n`);
  });
}

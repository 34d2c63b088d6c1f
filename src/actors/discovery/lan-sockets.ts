/**
 * Multicast on every interface of this machine: one socket for each family that hears, and one for each interface that
 * speaks, since a socket has one outgoing interface only and its source address is what others dial. Interfaces come
 * and go (laptops, namespaces), so they are looked at again with `refresh`.
 */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { LanOptions } from './protocol.ts';

/** One address of an interface to speak from. */
interface Mouth {
  readonly family: 4 | 6;
  readonly address: string;
  /** What names the interface to the system: its address (IPv4) or `::%name` (IPv6). */
  readonly interface: string;
}

export interface LanSocketsDeps {
  readonly options: LanOptions;
  /** @param from IP address, of link-local ones with the zone. */
  readonly received: (datagram: Buffer, from: string) => void;
  /** Something does not work; the rest goes on. */
  readonly failed: (what: string, error: Error) => void;
}

/** Interfaces beyond these are not used: a machine with hundreds of container bridges is no place for more. */
const MAX_MOUTHS = 32;

export class LanSockets {
  readonly #deps: LanSocketsDeps;
  readonly #mouths = new Map<string, Socket>();
  #ears: { readonly family: 4 | 6; readonly socket: Socket; readonly joined: Set<string> }[] = [];
  #subnets: readonly string[] = [];
  #closed = false;

  constructor(deps: LanSocketsDeps) {
    this.#deps = deps;
  }

  /** Subnets of this machine's interfaces, as of the last refresh. */
  get subnets(): readonly string[] {
    return this.#subnets;
  }

  /** Interfaces that can be spoken on. */
  get size(): number {
    return this.#mouths.size;
  }

  /** Opens what is new and closes what is gone. Resolves when sockets can be used; never rejects. */
  async refresh(): Promise<void> {
    const { mouths, subnets } = readInterfaces();
    this.#subnets = subnets;
    await Promise.all(([4, 6] as const).map((family) => this.#listen(family)));
    if (this.#closed) return;
    const wanted = new Map(mouths.map((mouth) => [`${mouth.interface} ${mouth.address}`, mouth]));
    for (const [key, socket] of this.#mouths) if (!wanted.has(key)) this.#drop(key, socket);
    for (const mouth of wanted.values()) this.#join(mouth);
    const silent = [...wanted].filter(([key]) => !this.#mouths.has(key));
    await Promise.all(silent.map(([key, mouth]) => this.#speak(key, mouth)));
  }

  send(datagramFor: (group: string) => readonly Buffer[]): void {
    const { port, group4, group6 } = this.#deps.options;
    const forFour = datagramFor(`${group4}:${port}`);
    const forSix = datagramFor(`[${group6}]:${port}`);
    for (const [key, socket] of this.#mouths) {
      const four = !key.startsWith('::%');
      for (const datagram of four ? forFour : forSix) {
        socket.send(datagram, port, four ? group4 : `${group6}${key.slice(2, key.indexOf(' '))}`, (error) => {
          // an interface that has just gone: the next refresh sees it
          if (error) this.#deps.failed('send', error);
        });
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const [key, socket] of this.#mouths) this.#drop(key, socket);
    for (const { socket } of this.#ears) socket.close();
    this.#ears = [];
  }

  #drop(key: string, socket: Socket): void {
    this.#mouths.delete(key);
    socket.close();
  }

  async #listen(family: 4 | 6): Promise<void> {
    const { options, received, failed } = this.#deps;
    if (this.#closed || this.#ears.some((ear) => ear.family === family)) return;
    // other daemons and other clients of BEP 14 on this machine listen on the same port
    const type = family === 4 ? 'udp4' : 'udp6';
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: family === 6 });
    const error = await opened(socket, () => socket.bind(options.port));
    if (error !== undefined || this.#closed) {
      closeQuietly(socket);
      if (error && family === 4) failed('listen', error);
      return;
    }
    const ear = { family, socket, joined: new Set<string>() };
    this.#ears.push(ear);
    socket.on('message', (datagram, { address }) => received(datagram, address));
    socket.on('error', (error_) => {
      failed('listen', error_);
      this.#ears = this.#ears.filter((one) => one !== ear);
      closeQuietly(socket);
    });
  }

  #join(mouth: Mouth): void {
    const { group4, group6 } = this.#deps.options;
    for (const { family, socket, joined } of this.#ears) {
      if (family !== mouth.family || joined.has(mouth.interface)) continue;
      try {
        socket.addMembership(family === 4 ? group4 : group6, mouth.interface);
        joined.add(mouth.interface);
      } catch (error) {
        // EADDRINUSE: a second address of an interface that has been joined already
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') joined.add(mouth.interface);
        else this.#deps.failed('join', error as Error);
      }
    }
  }

  async #speak(key: string, mouth: Mouth): Promise<void> {
    const socket = createSocket({ type: mouth.family === 4 ? 'udp4' : 'udp6' });
    const error = await opened(socket, () => socket.bind({ address: mouth.address, port: 0 }));
    try {
      if (error !== undefined) throw error;
      socket.setMulticastInterface(mouth.interface);
      socket.setMulticastTTL(1);
      socket.setMulticastLoopback(true);
    } catch (failure) {
      this.#deps.failed('speak', failure as Error);
      closeQuietly(socket);
      return;
    }
    if (this.#closed) {
      closeQuietly(socket);
      return;
    }
    socket.on('error', (error_) => {
      this.#deps.failed('speak', error_);
      if (this.#mouths.get(key) === socket) this.#mouths.delete(key);
      closeQuietly(socket);
    });
    this.#mouths.set(key, socket);
  }
}

/** IPv4 wherever an interface has it; IPv6 on the others, by their link-local address if they have one. */
function readInterfaces(): { mouths: Mouth[]; subnets: string[] } {
  const mouths: Mouth[] = [];
  const subnets: string[] = [];
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    subnets.push(...addresses.flatMap(({ cidr }) => cidr ?? []));
    const four = addresses.filter(({ family }) => family === 'IPv4');
    for (const { address } of four) mouths.push({ family: 4, address, interface: address });
    const six = addresses
      .filter(({ family }) => family === 'IPv6')
      .sort((a, b) => rank(a.address) - rank(b.address))[0];
    if (six === undefined || four.length > 0) continue;
    const local = rank(six.address) === 0;
    mouths.push({ family: 6, address: local ? `${six.address}%${name}` : six.address, interface: `::%${name}` });
  }
  return { mouths: mouths.slice(0, MAX_MOUTHS), subnets };
}

const rank = (address: string) => (address.startsWith('fe80:') ? 0 : 1);

/** Calls `open` and waits until the socket is bound; resolves with what went wrong instead. */
function opened(socket: Socket, open: () => void): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve(error);
    socket.once('error', failed);
    socket.once('listening', () => {
      socket.off('error', failed);
      resolve(undefined);
    });
    open();
  });
}

function closeQuietly(socket: Socket): void {
  socket.removeAllListeners('error').on('error', () => undefined);
  try {
    socket.close();
  } catch {
    // not open
  }
}

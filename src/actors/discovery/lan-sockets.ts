/**
 * Multicast on every interface of this machine: one socket for each family that hears, and one for each interface that
 * speaks, since a socket has one outgoing interface only and its source address is what others dial. Interfaces come
 * and go (laptops, namespaces), so they are looked at again with `refresh`.
 */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { LanOptions } from './protocol.ts';

/** One interface to listen on. */
interface Ear {
  readonly family: 4 | 6;
  /** What names the interface to the system: its address (IPv4) or `::%name` (IPv6). */
  readonly interface: string;
}

/** One address of an interface to speak from. */
interface Mouth extends Ear {
  readonly address: string;
}

export interface LanSocketsDeps {
  readonly options: LanOptions;
  /** Whether to speak from this address of an interface, given without its zone. */
  readonly speaksFrom: (address: string) => boolean;
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
  #ears: { readonly family: 4 | 6; readonly socket: Socket }[] = [];
  #subnets: readonly string[] = [];
  #refreshing: Promise<boolean> = Promise.resolve(false);
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

  /** Opens what is new and closes what is gone; true when there is something new. Never rejects. */
  refresh(): Promise<boolean> {
    this.#refreshing = this.#refreshing.then(() => this.#refresh());
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    const { ears, mouths, subnets } = readInterfaces();
    this.#subnets = subnets;
    await Promise.all(([4, 6] as const).map((family) => this.#listen(family)));
    if (this.#closed) return false;
    const speaking = mouths.filter(({ address }) => this.#deps.speaksFrom(address.replace(/%.*$/, '')));
    const wanted = new Map(speaking.map((mouth) => [`${mouth.interface} ${mouth.address}`, mouth]));
    for (const [key, socket] of this.#mouths) if (!wanted.has(key)) this.#drop(key, socket);
    for (const ear of ears) this.#join(ear);
    const silent = [...wanted].filter(([key]) => !this.#mouths.has(key));
    await Promise.all(silent.map(([key, mouth]) => this.#speak(key, mouth)));
    return silent.some(([key]) => this.#mouths.has(key));
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
    const ear = { family, socket };
    this.#ears.push(ear);
    socket.on('message', (datagram, { address }) => received(datagram, address));
    socket.on('error', (error_) => {
      failed('listen', error_);
      this.#ears = this.#ears.filter((one) => one !== ear);
      closeQuietly(socket);
    });
  }

  #join(ear: Ear): void {
    const { group4, group6 } = this.#deps.options;
    for (const { family, socket } of this.#ears) {
      if (family !== ear.family) continue;
      try {
        socket.addMembership(family === 4 ? group4 : group6, ear.interface);
      } catch (error) {
        // joined already; asked for again each time, since an interface may have gone and come back
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') this.#deps.failed('join', error as Error);
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

/** Heard is everything. Spoken is IPv4 wherever an interface has it, else IPv6, by the link-local address if there is one. */
function readInterfaces(): { ears: Ear[]; mouths: Mouth[]; subnets: string[] } {
  const ears: Ear[] = [];
  const mouths: Mouth[] = [];
  const subnets: string[] = [];
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    subnets.push(...addresses.flatMap(({ cidr }) => cidr ?? []));
    const four = addresses.filter(({ family }) => family === 'IPv4');
    for (const { address } of four) mouths.push({ family: 4, address, interface: address });
    const six = addresses
      .filter(({ family }) => family === 'IPv6')
      .sort((a, b) => rank(a.address) - rank(b.address))[0];
    if (six === undefined) continue;
    const ear = { family: 6, interface: `::%${name}` } as const;
    const address = rank(six.address) === 0 ? `${six.address}%${name}` : six.address;
    if (four.length === 0) mouths.push({ ...ear, address });
    else if (!six.internal) ears.push(ear);
  }
  const spoken = mouths.slice(0, MAX_MOUTHS);
  return { ears: [...spoken, ...ears.slice(0, MAX_MOUTHS)], mouths: spoken, subnets };
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

/**
 * The UDP socket that the DHT library is given: it hears only messages that have been taken apart and put together
 * again, so many a second, and speaks only to addresses that strangers may name. An exception of the library in the
 * middle of a message ends that message, not the process.
 */
import type { Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { DatagramBudget } from '../../core/swarm/datagram-budget.ts';
import { cleanDhtMessage } from '../../core/swarm/dht-message.ts';
import { isNear, LEAST_PORT, scopeOf } from '../../core/swarm/peer-address.ts';

const BUDGET = { perSource: { rate: 20, burst: 60 }, total: { rate: 300, burst: 600 } } as const;

export interface DhtSocketDeps {
  /** Bound. */
  readonly socket: Socket;
  /** The DHT is one of this network: its nodes may be at addresses that are not public. */
  readonly nearby: boolean;
  readonly now: () => number;
  readonly fault: (error: unknown) => void;
}

export class DhtSocket extends EventEmitter {
  readonly #deps: DhtSocketDeps;
  readonly #budget = new DatagramBudget(BUDGET);
  #closed = false;

  constructor(deps: DhtSocketDeps) {
    super();
    this.#deps = deps;
    const { socket, now, fault } = deps;
    socket.on('message', (datagram, from) => {
      if (!this.#mayTalkTo(from.address, from.port) || !this.#budget.take(from.address, now())) return;
      const message = cleanDhtMessage(datagram);
      if (message === undefined) return;
      try {
        this.emit('message', message, from);
      } catch (error) {
        fault(error);
      }
    });
    // single sends fail when a network goes away; the queries then run into their time limit
    socket.on('error', fault);
    socket.on('close', () => this.emit('close'));
  }

  bind(): void {
    queueMicrotask(() => this.emit('listening'));
  }

  address(): unknown {
    return this.#closed ? { address: '0.0.0.0', family: 'IPv4', port: 0 } : this.#deps.socket.address();
  }

  send(buffer: Buffer, offset: number, length: number, port: number, host: string, done?: () => void): void {
    if (this.#closed || !this.#mayTalkTo(host, port)) {
      queueMicrotask(() => done?.());
      return;
    }
    this.#deps.socket.send(buffer, offset, length, port, host, () => done?.());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.socket.close();
  }

  #mayTalkTo(host: string, port: number): boolean {
    return port >= LEAST_PORT && (scopeOf(host) === 'public' || (this.#deps.nearby && isNear(host)));
  }
}

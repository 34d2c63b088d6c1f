/**
 * Connects to one of a host's addresses as RFC 8305 (Happy Eyeballs) has it: when one does not answer within a moment the
 * next one is tried as well, and the first that answers is taken. Node by itself gives each but the last up after 250 ms:
 * a mirror that is farther away than that, of which another address cannot be reached from here, was out of reach.
 */
import type { LookupAddress } from 'node:dns';
import { connect, type LookupFunction, type Socket } from 'node:net';

import { DebtorrentError } from '../../core/errors.ts';
import { formatAuthority } from '../../core/http/authority.ts';

/** The default of RFC 8305 section 5, in milliseconds. */
const NEXT_MS = 250;

export interface ConnectAnyOptions {
  readonly host: string;
  readonly port: number;
  readonly lookup: LookupFunction;
  /** For all together. */
  readonly timeoutMs: number;
  /** Begins to connect to one address. */
  open?(to: { host: string; port: number }): Socket;
}

/** Calls back once, with an error or a socket that is connected. @returns what gives up. */
export function connectAny(
  { host, port, lookup, timeoutMs, open = connect }: ConnectAnyOptions,
  done: (...result: [error: Error] | [error: null, socket: Socket]) => void,
): () => void {
  const trying = new Set<Socket>();
  let addresses: string[] = [];
  let failure: Error | undefined;
  let next: NodeJS.Timeout | undefined;
  let over = false;

  const finish = (chosen?: Socket) => {
    over = true;
    clearTimeout(next);
    clearTimeout(late);
    for (const socket of trying) if (socket !== chosen) socket.destroy();
  };
  const fail = (error: Error) => {
    if (over) return;
    finish();
    done(error);
  };
  const late = setTimeout(() => {
    fail(new DebtorrentError('MIRROR_TIMEOUT', `${formatAuthority(host, port)} does not answer`));
  }, timeoutMs);

  const tryNext = () => {
    clearTimeout(next);
    const address = addresses.shift();
    if (over || address === undefined) return;
    const socket = open({ host: address, port });
    const failed = (error: Error) => {
      trying.delete(socket);
      failure ??= error;
      tryNext();
      if (trying.size === 0) fail(failure);
    };
    trying.add(socket);
    socket.on('error', failed);
    socket.once('connect', () => {
      if (over) return;
      socket.off('error', failed);
      finish(socket);
      done(null, socket);
    });
    next = setTimeout(tryNext, NEXT_MS);
  };

  lookup(host, { all: true }, (error, found) => {
    if (over) return;
    if (error) {
      fail(error);
      return;
    }
    addresses = byTurns(found as LookupAddress[]);
    tryNext();
  });
  return finish;
}

/** Both families by turns, beginning with the one that comes first (RFC 8305 section 4). */
function byTurns(found: readonly LookupAddress[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const other = found.filter(({ family }) => family !== found[0]?.family);
  const turns = Math.max(first.length, other.length);
  return Array.from({ length: turns }, (_, turn) => [first[turn], other[turn]])
    .flat()
    .flatMap((each) => each?.address ?? []);
}

/**
 * Private swarms: TLS 1.2 with a pre-shared key from the swarm key, no certificates. Who does not hold the key fails in
 * the handshake, before a byte of this protocol was sent.
 */
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';

import { reasonOf } from '../../../core/errors.ts';
import { TLS_PSK_CIPHER, TLS_PSK_IDENTITY } from '../../../core/swarm/psk.ts';
import type { LinkFault } from './link.ts';

const SUITE = {
  ciphers: TLS_PSK_CIPHER,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const satisfies TlsOptions;

export interface PskServer {
  /** Speaks TLS on an accepted socket; `failed` of the server is called, or `secured`. */
  secure(socket: Socket): void;
}

/** `socket` in `secured` is the TLS side; in `failed` either. */
export function pskServer(
  psk: Buffer,
  handshakeMs: number,
  on: { secured(socket: TLSSocket): void; failed(socket: Socket, fault: LinkFault): void },
): PskServer {
  const server = createServer({
    ...SUITE,
    handshakeTimeout: handshakeMs,
    pskCallback: (_socket: TLSSocket, identity: string) => (identity === TLS_PSK_IDENTITY ? psk : null),
  });
  server.on('secureConnection', (socket) => on.secured(socket));
  server.on('tlsClientError', (error, socket) => {
    on.failed(socket, explained(error));
    socket.destroy();
  });
  return { secure: (socket) => void server.emit('connection', socket) };
}

/** Emits `secureConnect`, or `error`. */
export function pskClient(psk: Buffer, to: TcpNetConnectOpts): TLSSocket {
  return connect({
    ...SUITE,
    ...to,
    pskCallback: () => ({ identity: TLS_PSK_IDENTITY, psk }),
    checkServerIdentity: () => undefined,
  });
}

/** OpenSSL's words for a wrong key are about a broken record. */
export function explained(error: NodeJS.ErrnoException): LinkFault {
  const { code = '' } = error;
  const message = reasonOf(error);
  if (/BAD_RECORD_MAC|DECRYPTION_FAILED|PSK_IDENTITY|DECRYPT_ERROR/.test(code)) return protocol('wrong swarm key');
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|UNKNOWN_PROTOCOL/.test(code)) {
    return protocol('no TLS where a swarm key is needed');
  }
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return { kind: 'timeout', message: 'no TLS handshake in time' };
  return code.startsWith('ERR_SSL') ? protocol(`TLS: ${message}`) : { kind: 'closed', message };
}

function protocol(message: string): LinkFault {
  return { kind: 'protocol', message };
}

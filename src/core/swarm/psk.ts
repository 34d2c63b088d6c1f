/**
 * The key of a private swarm: 32 bytes that its members share. Ids of torrents are made with it (torrent-id.ts), and
 * links are TLS with a key derived from it.
 */
import { createHmac } from 'node:crypto';
import { DebtorrentError } from '../errors.ts';

export const SWARM_KEY_BYTES = 32;
export const TLS_PSK_IDENTITY = 'debtorrent';
/** OpenSSL's name of the only suite that is spoken, of TLS 1.2. */
export const TLS_PSK_CIPHER = 'ECDHE-PSK-CHACHA20-POLY1305';

const TLS_PSK_TAG = 'debtorrent tls psk 1';

/** 32 bytes. */
export function tlsPsk(swarmKey: Uint8Array): Buffer {
  return createHmac('sha256', swarmKey).update(TLS_PSK_TAG).digest();
}

/**
 * Reads the content of a swarm key file: 64 hexadecimal digits, as `openssl rand -hex 32` prints them, and white space
 * around. The key itself is never in the message of an error.
 * @throws DebtorrentError CONFIG_INVALID for anything else
 */
export function parseSwarmKey(content: string): Buffer {
  const text = content.trim();
  if (text === '') throw invalid('it is empty');
  if (!/^[0-9a-f]*$/i.test(text)) throw invalid('it has other characters than hexadecimal digits');
  if (text.length !== SWARM_KEY_BYTES * 2) throw invalid(`it has ${text.length} digits`);
  return Buffer.from(text, 'hex');
}

function invalid(why: string): DebtorrentError {
  return new DebtorrentError(
    'CONFIG_INVALID',
    `the swarm key is not ${SWARM_KEY_BYTES * 2} hexadecimal digits, as \`openssl rand -hex ${SWARM_KEY_BYTES}\` makes them: ${why}`,
  );
}

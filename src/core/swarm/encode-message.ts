import { encodeBencode } from './bencode.ts';
import type { FilesMessage } from './messages.ts';

/** The number `t` of each message. */
export const MESSAGE_NUMBERS = {
  want: 0,
  unwant: 1,
  offer: 2,
  none: 3,
  retract: 4,
  'tree-request': 5,
  tree: 6,
  fetching: 7,
  torrents: 8,
} as const satisfies Record<FilesMessage['type'], number>;

/** The payload of a `dt_files` message. Bounds are the caller's: what breaks them is refused by who decodes it. */
export function encodeFilesMessage(message: FilesMessage): Uint8Array {
  return encodeBencode({ t: MESSAGE_NUMBERS[message.type], ...keysOf(message) });
}

function keysOf(message: FilesMessage): Record<string, unknown> {
  switch (message.type) {
    case 'want':
      return {
        w: message.files.map(({ file, sha256, size }) => ({ i: file, h: Buffer.from(sha256, 'hex'), s: size })),
      };
    case 'unwant':
    case 'none':
      return { i: message.files };
    case 'offer': {
      const { file, base, pieces, have } = message;
      return { i: file, b: base, n: pieces, ...(have === undefined ? {} : { p: have }) };
    }
    case 'retract':
      return { b: message.bases };
    case 'tree-request':
      return { i: message.file };
    case 'tree':
      return { i: message.file, r: message.roots };
    case 'fetching':
      return { i: message.file, p: message.pieces };
    case 'torrents':
      return { x: message.ids };
  }
}

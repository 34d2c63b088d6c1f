import type { Sha256 } from '../ids.ts';
import { decodeBencode, field } from './bencode.ts';
import { bytesIn, checkedNumber, listIn, malformed, numberIn } from './fields.ts';
import { Bitmap, isBitmap } from './bitmap.ts';
import { MESSAGE_NUMBERS } from './encode-message.ts';
import {
  BLIND_ID_BYTES,
  MAX_FRAME_BYTES,
  MAX_LISTED,
  MAX_TORRENTS,
  MAX_TREE_PIECES,
  MAX_WANTS_PER_MESSAGE,
  NUMBERS,
  ROOT_BYTES,
} from './limits.ts';
import type { FilesMessage, WantedEntry } from './messages.ts';
import { MAX_FILE_BYTES, MAX_PIECES } from './pieces.ts';

/**
 * Reads the payload of a `dt_files` message; all of the result is copied. What depends on the state of the link is left
 * to it: whether numbers are known or new, whether `have`, `roots` and `pieces` are those of the file's size.
 * @returns undefined for a message of an unknown number, which is to be ignored
 * @throws DebtorrentError PEER_PROTOCOL for anything malformed
 */
export function decodeFilesMessage(bytes: Uint8Array): FilesMessage | undefined {
  if (bytes.length > MAX_FRAME_BYTES) throw malformed('it is too long');
  const dictionary = decodeBencode(bytes);
  switch (numberIn(dictionary, 't', 0, Number.MAX_SAFE_INTEGER)) {
    case MESSAGE_NUMBERS.want:
      return { type: 'want', files: listIn(dictionary, 'w', MAX_WANTS_PER_MESSAGE).map(wantedEntry) };
    case MESSAGE_NUMBERS.unwant:
      return { type: 'unwant', files: numbersIn(dictionary, 'i') };
    case MESSAGE_NUMBERS.offer:
      return offer(dictionary);
    case MESSAGE_NUMBERS.none:
      return { type: 'none', files: numbersIn(dictionary, 'i') };
    case MESSAGE_NUMBERS.retract:
      return { type: 'retract', bases: numbersIn(dictionary, 'b') };
    case MESSAGE_NUMBERS['tree-request']:
      return { type: 'tree-request', file: fileNumber(dictionary) };
    case MESSAGE_NUMBERS.tree: {
      const roots = bytesIn(dictionary, 'r', 0, MAX_TREE_PIECES * ROOT_BYTES, ROOT_BYTES);
      return { type: 'tree', file: fileNumber(dictionary), roots };
    }
    case MESSAGE_NUMBERS.fetching: {
      const pieces = bytesIn(dictionary, 'p', 1, Bitmap.byteLength(MAX_PIECES));
      return { type: 'fetching', file: fileNumber(dictionary), pieces };
    }
    case MESSAGE_NUMBERS.torrents:
      return {
        type: 'torrents',
        ids: bytesIn(dictionary, 'x', 0, MAX_TORRENTS * BLIND_ID_BYTES, BLIND_ID_BYTES),
      };
    default:
      return undefined;
  }
}

function wantedEntry(entry: unknown): WantedEntry {
  const sha256 = Buffer.from(bytesIn(entry, 'h', 32, 32)).toString('hex') as Sha256;
  return { file: fileNumber(entry), sha256, size: numberIn(entry, 's', 1, MAX_FILE_BYTES) };
}

function offer(dictionary: unknown): FilesMessage {
  const pieces = numberIn(dictionary, 'n', 1, MAX_PIECES);
  const lease = {
    type: 'offer' as const,
    file: fileNumber(dictionary),
    base: numberIn(dictionary, 'b', 0, NUMBERS - pieces),
    pieces,
  };
  if (field(dictionary, 'p') === undefined) return lease;
  const length = Bitmap.byteLength(pieces);
  const have = bytesIn(dictionary, 'p', length, length);
  if (!isBitmap(have, pieces)) throw malformed('spare bits are set in p');
  return { ...lease, have };
}

function fileNumber(dictionary: unknown): number {
  return numberIn(dictionary, 'i', 0, NUMBERS - 1);
}

function numbersIn(dictionary: unknown, key: string): number[] {
  return listIn(dictionary, key, MAX_LISTED).map((value) => checkedNumber(value, key, 0, NUMBERS - 1));
}

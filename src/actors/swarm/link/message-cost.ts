import type { FilesMessage } from '../../../core/swarm/messages.ts';

/** Files or leases in a list that are as much work as one message; */
const ENTRIES_PER_MESSAGE = 4;
/** so is reading so many bytes, which may be a value each, also of a message that means nothing. */
const BYTES_PER_MESSAGE = 256;
/** What is common is found out anew, and whoever has to do with the link is told. */
const TORRENTS = 16;

/**
 * What a `dt_files` message costs its sender beyond being one: it may be long, or list many files. Piece roots are one
 * value, however many they are, and were asked for.
 */
export function messageCost(bytes: number, message: FilesMessage | undefined): number {
  if (message === undefined) return lengthCost(bytes);
  return Math.max(extraCost(message), lengthCost(bytes - (message.type === 'tree' ? message.roots.length : 0)));
}

function lengthCost(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_MESSAGE);
}

function extraCost(message: FilesMessage): number {
  switch (message.type) {
    case 'torrents':
      return TORRENTS;
    case 'want':
    case 'unwant':
    case 'none':
      return Math.floor(message.files.length / ENTRIES_PER_MESSAGE);
    case 'retract':
      return Math.floor(message.bases.length / ENTRIES_PER_MESSAGE);
    default:
      return 0;
  }
}

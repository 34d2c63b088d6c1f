import type { FilesMessage } from '../../../core/swarm/messages.ts';

/** Files or leases in a list that are as much work as one message; */
const ENTRIES_PER_MESSAGE = 4;
/** so is reading so many bytes, which may be a value each, also of a message that means nothing. */
const BYTES_PER_MESSAGE = 256;
/** What is common is found out anew, and whoever has to do with the link is told. */
const TORRENTS = 16;

/** What a message costs its sender beyond being one before it is read: it may be long. */
export function lengthCost(payload: Uint8Array): number {
  return Math.floor(payload.length / BYTES_PER_MESSAGE);
}

/** What it costs by what it says, if that is more: it may list many files. */
export function extraCost(message: FilesMessage): number {
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

import type { FilesMessage } from '../../../core/swarm/messages.ts';

/** Files or leases in a list that are as much work as one message. */
const ENTRIES_PER_MESSAGE = 4;

/** What a message costs its sender beyond being one: it may list many files. */
export function extraCost(message: FilesMessage): number {
  switch (message.type) {
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

/** Brings what happens on a link to those whom it concerns. */
import type { Downloads } from './download/downloads.ts';
import type { Link, LinkHandler } from './link/link.ts';
import type { Uploads } from './upload/uploads.ts';

export interface LinkEventsDeps {
  readonly downloads: Downloads;
  readonly uploads: Uploads;
  /** The torrents in common with the peer, first of all and whenever they change. */
  torrents(link: Link, common: Link['common']): void;
  /** The peer tells of others (BEP 11). */
  exchanged(link: Link, addresses: Parameters<LinkHandler['exchanged']>[0]): void;
  closed(link: Link): void;
}

export function linkEvents(deps: LinkEventsDeps, link: Link): LinkHandler {
  const { downloads, uploads } = deps;
  return {
    message(message) {
      switch (message.type) {
        case 'want':
        case 'unwant':
        case 'tree-request':
          uploads.message(link, message);
          return;
        case 'offer':
        case 'none':
        case 'retract':
        case 'tree':
          downloads.message(link, message);
          return;
        case 'fetching': {
          const sha256 = uploads.wantOf(link, message.file);
          if (sha256 !== undefined) downloads.remoteFetching(link, sha256, message.pieces);
          return;
        }
        case 'torrents':
          // The link has taken it in and calls `torrents`.
          return;
      }
    },
    have: (index) => downloads.have(link, index),
    block: (block, data) => downloads.block(link, block, data),
    rejected: (block) => downloads.rejected(link, block),
    timedOut: (block) => downloads.timedOut(link, block),
    requested: (block) => uploads.requested(link, block),
    cancelled: (block) => uploads.cancelled(link, block),
    choked: (choked) => downloads.choked(link, choked),
    interested: () => uploads.interested(link),
    allowedFast: (index) => downloads.allowedFast(link, index),
    drained: () => uploads.drained(link),
    torrents(common) {
      deps.torrents(link, common);
      downloads.torrentsChanged(link);
      uploads.torrentsChanged(link);
    },
    exchanged: (addresses) => deps.exchanged(link, addresses),
    closed() {
      downloads.linkClosed(link);
      uploads.linkClosed(link);
      deps.closed(link);
    },
  };
}

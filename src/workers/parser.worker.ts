/** The thread that knows archives: verifies Releases, parses indexes, keeps the catalogue. */
import { setPriority } from 'node:os';
import { systemClock } from '../core/clock.ts';
import type { Logger } from '../core/logging.ts';
import { spawn } from '../kernel/actor.ts';
import { runThread } from '../kernel/thread.ts';
import type {
  CatalogueReaderProtocol,
  FetcherProtocol,
  RoomProtocol,
} from '../actors/packages-parser/collaborators.ts';
import { createPackagesParser, type PackagesParserProtocol } from '../actors/packages-parser/packages-parser.ts';
import { aptTrustedKeyrings, publicKeyrings } from '../actors/packages-parser/trusted-keyrings.ts';

export interface ParserBoot {
  readonly catalogueDir: string;
  /** Paths; when there are none, those that APT trusts on this machine, as they come and go. */
  readonly keyrings: readonly string[];
  /** Paths; when there are none, those of Debian's and Ubuntu's archives. */
  readonly publicKeyrings: readonly string[];
  readonly checkValidUntil?: boolean;
  readonly swarmKey?: Uint8Array;
}

const MAILBOX = { limit: 8_192 };
/**
 * On Linux nice values are of threads, and programs that a thread starts inherit its own: unpacking and parsing an index
 * leave the processor to whoever serves clients. Measured with two processors, both busy with that: the gateway's event
 * loop 18 to 40 ms late at most, 11 to 20 so.
 */
const NICE = 10;

runThread(async ({ boot, ref, log }) => {
  const { keyrings, publicKeyrings: shared, ...settings } = boot as ParserBoot;
  const trusted = async () => (keyrings.length > 0 ? keyrings : aptTrustedKeyrings('/'));
  const open = async () => (shared.length > 0 ? shared : publicKeyrings('/'));
  const parser = await createPackagesParser({
    ...settings,
    keyrings: trusted,
    // Whoever holds the key of a private swarm may have all that its members verify.
    publicKeyrings: settings.swarmKey === undefined ? open : trusted,
    namedKeyrings: [...keyrings, ...shared],
    fetcher: ref<FetcherProtocol>('fetcher'),
    gateway: ref<CatalogueReaderProtocol>('gateway'),
    room: ref<RoomProtocol>('room'),
    clock: systemClock,
    log,
  });
  const actor = spawn<PackagesParserProtocol>({
    name: 'parser',
    behaviour: parser.behaviour,
    mailbox: MAILBOX,
    log,
    stop: () => parser.stop(),
  });
  if (process.platform === 'linux') lowerPriority(log);
  return { actors: { parser: actor } };
});

/** Where it is not allowed indexes are read all the same. */
function lowerPriority(log: Logger): void {
  try {
    setPriority(NICE);
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'indexes are read at the priority of everything else');
  }
}

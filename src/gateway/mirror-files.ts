/** Answers requests for files of mirrors: from memory, from the store, from a transfer, or past a store that is full. */
import type { DatedClock } from '../core/clock.ts';
import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import { checkHost } from '../actors/http-backup/dns-guard.ts';
import type { FetchPlan } from '../core/fetch-plan.ts';
import { mirrorRequest } from '../core/http/mirror-url.ts';
import { EXPECTED_HEADER } from '../core/method/control.ts';
import type { HostRules } from '../core/host-rules.ts';
import { parseSha256, type MirrorUrl, type Sha256 } from '../core/ids.ts';
import type { Logger } from '../core/logging.ts';
import { Spoilt } from '../core/spoilt.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import type { PackagesParserProtocol } from '../actors/packages-parser/packages-parser.ts';
import type { ArrivingFile, FileHead, TransfersProtocol, WholeFile } from '../actors/transfers/protocol.ts';
import type { ClientExchange } from './exchange.ts';
import { FetchedAhead } from './fetched-ahead.ts';
import { IndexUses } from './index-uses.ts';
import { MAX_REMEMBERED_BYTES, MemoryCache } from './memory-cache.ts';
import { passThrough, type PassThroughDeps } from './pass-through.ts';
import { planFor, type Planned, type PlannerDeps } from './planner.ts';
import { RecentFiles } from './recent-files.ts';
import { ReleaseWatch } from './release-watch.ts';
import { OPEN_MS, requireCached, serveHead } from './serve-head.ts';
import { readLater, readNow } from './small-file.ts';
import {
  openWhole,
  sendArriving,
  sendFileHead,
  sendWhole,
  STORE_FAULTS,
  wholeHeaders,
  type Sending,
} from './send-file.ts';

export interface MirrorFilesDeps extends Pick<DatedClock, 'now' | 'date'> {
  readonly rules: HostRules;
  readonly planner: Omit<PlannerDeps, 'uses'>;
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly parser: ActorRef<PackagesParserProtocol>;
  readonly passThrough: PassThroughDeps;
  readonly log: Logger;
}

/** A Release is at most some hundred kilobytes; from a very slow mirror it is passed on as it comes. */
const RELEASE_MS = 20_000;
/** What comes of it is looked at if it comes in this time. */
const LATE_MS = 600_000;
/** Tries to open a file that is removed each time, */
const MOST_GONE = 3;
/** and times that a file may begin anew while nothing of it is sent: transfers end that sooner, with what is wrong. */
const MOST_ANEW = 16;
const EXPECTED = EXPECTED_HEADER.toLowerCase();
/** Nobody waits for it: as long as a large file from a slow mirror takes, in milliseconds. */
const PREFETCH_MS = 6 * 3_600_000;

export class MirrorFiles {
  readonly #deps: MirrorFilesDeps;
  readonly #memory = new MemoryCache();
  readonly #recent = new RecentFiles();
  readonly #releases: ReleaseWatch;
  readonly #spoilt: Spoilt;
  readonly #ahead = new FetchedAhead();
  readonly #uses: IndexUses;
  readonly #planner: PlannerDeps;

  constructor(deps: MirrorFilesDeps) {
    this.#deps = deps;
    this.#releases = new ReleaseWatch({ ...deps, catalogue: deps.planner.catalogue });
    this.#uses = new IndexUses(deps.parser, deps.planner.catalogue);
    this.#planner = { ...deps.planner, uses: this.#uses };
    this.#spoilt = new Spoilt(deps.now);
  }

  /** True when the answer was in memory and has been sent. */
  serveFromMemory(client: ClientExchange, url: MirrorUrl): boolean {
    const { planner, date } = this.#deps;
    const remembered = this.#memory.get(url, planner.catalogue.generation, date());
    if (remembered === undefined || client.bare) return false;
    const { file, bytes, headers, signed, askAgain } = remembered;
    if ((expectedBy(client) ?? file.sha256) !== file.sha256) return false;
    // Remembered while somebody was still being sent wrong bytes of it.
    if (this.#spoilt.has(signed ? { url, sha256: file.sha256 } : { url })) return false;
    if (!signed && client.reload) {
      this.#memory.delete(url);
      return false;
    }
    if (client.head || client.conditional || this.#ahead.has(file.sha256)) {
      client.askAgain = askAgain;
      this.#sendBytes(client, file, bytes, signed);
      return true;
    }
    client.source = file.source;
    client.bytes = bytes.length;
    client.writeHead(200, headers as string[]);
    client.end(bytes);
    return true;
  }

  /** @throws DebtorrentError; the caller turns it into an answer, or ends the one that has begun. */
  async serve(client: ClientExchange, url: MirrorUrl): Promise<void> {
    const planned = await this.#plan(url, expectedBy(client), client.reload);
    if (client.bare) throw new DebtorrentError('DIRECTORY', `${url} is a directory`);
    if (client.cachedOnly) await requireCached(this.#deps, planned.plan);
    client.askAgain = planned.askAgain;
    if (client.head && (await serveHead(this.#deps, client, planned.plan))) return;
    client.wholeOnly = this.#spoilt.has(planned.plan);
    const range = client.range();
    const from = range !== undefined && 'first' in range ? range.first : 0;
    try {
      await this.#answer(client, planned, from);
    } catch (error) {
      const isWrong = asDebtorrentError(error).code === 'HASH_MISMATCH';
      if (isWrong && client.hasBytes) this.#spoilt.add(planned.plan);
      throw error;
    }
  }

  /**
   * Has the file fetched for a client that will ask for it, and keeps it in memory if it is small.
   * @throws DebtorrentError as the request will, if it comes at once.
   */
  async prefetch(url: MirrorUrl, expected: Sha256): Promise<void> {
    const planned = await this.#plan(url, expected);
    if (planned.location.kind === 'release') return;
    const file = await this.#deps.transfers.within(PREFETCH_MS).ask('fetch', { ...planned.plan, ahead: true });
    this.#ahead.fetched(file);
    if (file.size > MAX_REMEMBERED_BYTES) return;
    const bytes = readNow(file);
    if (bytes !== undefined) this.#remember(planned, file, bytes);
  }

  async #plan(url: MirrorUrl, expected: Sha256 | undefined, reload = false): Promise<Planned> {
    const { host, port } = mirrorRequest(url);
    checkHost(this.#deps.rules, host, port);
    const planned = await planFor(this.#planner, url, expected, reload);
    this.#uses.note(planned.hit, url);
    return planned;
  }

  async #answer(client: ClientExchange, planned: Planned, from: number): Promise<void> {
    try {
      await this.#serveFromStore(client, planned, from);
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      if (!STORE_FAULTS.has(code) || client.gone) throw error;
      const { plan, location } = planned;
      this.#deps.log.warn({ url: plan.url, code, reason: message }, 'passing by the store');
      this.#unreadable(client.promised?.file);
      const release = location.kind === 'release' ? this.#releases.passing(location) : undefined;
      const sha256 = await this.#passByStore(client, plan, release?.begun);
      release?.ended(sha256);
    }
  }

  /** What has been promised of the cache could not be read: whoever asks next is given it only when all of it was. */
  #unreadable(file: FileHead | undefined): void {
    if (file?.sha256 === undefined) return;
    this.#recent.forget(file.sha256);
    this.#deps.transfers.tell('suspect', file.sha256);
  }

  async #passByStore(client: ClientExchange, plan: FetchPlan, begun?: () => void): Promise<Sha256 | undefined> {
    try {
      return await passThrough(this.#deps.passThrough, client, plan, begun);
    } catch (error) {
      // Nobody has checked what was sent, and nobody has it any more to do so when the rest comes.
      if (plan.sha256 !== undefined && client.short && client.hasBytes) this.#spoilt.add(plan);
      throw error;
    }
  }

  async #serveFromStore(client: ClientExchange, planned: Planned, from: number): Promise<void> {
    const { transfers } = this.#deps;
    const { plan, location } = planned;
    const recent = this.#recent.get(plan.sha256, this.#deps.now());
    if (recent !== undefined && (await this.#send(client, planned, recent.file, recent.identity)) === 'sent') {
      return;
    }
    let [gone, anew] = [0, 0];
    while (gone < MOST_GONE && anew < MOST_ANEW) {
      const file =
        location.kind === 'release'
          ? await this.#release(planned, location)
          : await transfers.within(OPEN_MS).ask('open', plan, from);
      if (client.gone) {
        if (file.kind === 'arriving') transfers.tell('leave', file.id);
        return;
      }
      const sending = await this.#send(client, planned, file);
      if (sending === 'sent') return;
      if (sending === 'gone') gone += 1;
      else anew += 1;
      if (file.kind === 'file') transfers.tell('suspect', file.sha256);
    }
    if (gone < MOST_GONE) throw new DebtorrentError('HASH_MISMATCH', `${plan.url}: it began anew too often`);
    throw new DebtorrentError('STORE_IO', `${plan.url}: the cached file cannot be read`);
  }

  async #send(
    client: ClientExchange,
    planned: Planned,
    file: WholeFile | ArrivingFile,
    identity?: string,
  ): Promise<Sending> {
    const { plan, location } = planned;
    const signed = plan.trust !== 'none';
    if (file.spoilt === true) client.wholeOnly = true;
    if (file.kind === 'arriving') {
      if (file.size === undefined && client.req.httpVersionMinor === 0) {
        // HTTP/1.0 knows no chunks: wait for the end to know the length.
        this.#deps.transfers.tell('leave', file.id);
        return this.#send(client, planned, await this.#fetchWhole(plan));
      }
      return sendArriving(this.#deps, client, file, signed);
    }
    if (file.size <= MAX_REMEMBERED_BYTES) {
      const bytes =
        (file.source === 'cache' ? undefined : readNow(file)) ??
        (await readLater(file.path, file.size)) ??
        (await readLater(file.finalPath, file.size));
      if (bytes === undefined) return 'gone';
      this.#sendBytes(client, file, bytes, signed);
      this.#remember(planned, file, bytes);
    } else {
      const readable = await openWhole(file, identity);
      if (readable === undefined) return 'gone';
      if (plan.sha256 !== undefined && identity === undefined)
        this.#recent.sent(file, readable.identity, this.#deps.now());
      await sendWhole(this.#deps, client, this.#described(client, file), readable, signed);
    }
    if (location.kind === 'release' && client.res.statusCode === 304)
      this.#releases.confirmed(location, plan.url, file);
    return 'sent';
  }

  /** For the next one who asks; not what was identified by what one client said, nor what is to be given whole. */
  #remember({ plan, hinted, generation, askAgain }: Planned, file: WholeFile, bytes: Buffer): void {
    if (hinted || plan.revalidate === 'always' || file.stale) return;
    if (file.spoilt === true || this.#spoilt.has(plan)) return;
    const signed = plan.trust !== 'none';
    const cached: WholeFile = { ...file, source: 'cache' };
    const headers = Object.entries(wholeHeaders(cached, signed, askAgain)).flat();
    this.#memory.put(plan.url, { file: cached, bytes, signed, askAgain, headers, generation });
  }

  async #release(
    { plan }: Planned,
    location: Extract<Planned['location'], { kind: 'release' }>,
  ): Promise<WholeFile | ArrivingFile> {
    const { transfers } = this.#deps;
    let file: WholeFile;
    try {
      file = await transfers.within(RELEASE_MS).ask('fetch', plan);
    } catch (error) {
      const { code } = asDebtorrentError(error);
      this.#releases.failed(location, code);
      if (code !== 'ASK_TIMEOUT') throw error;
      this.#releases.late(location, plan.url, transfers.within(LATE_MS).ask('fetch', plan));
      return transfers.within(OPEN_MS).ask('open', plan, 0);
    }
    await this.#releases.fetched(location, plan.url, file);
    return file;
  }

  #fetchWhole(plan: Planned['plan']): Promise<WholeFile> {
    return this.#deps.transfers.within(600_000).ask('fetch', plan);
  }

  /** As the headers are to have it; the first answer with a body is told apart from the next. */
  #described(client: ClientExchange, file: WholeFile): WholeFile {
    return client.head ? file : this.#ahead.given(file);
  }

  #sendBytes(client: ClientExchange, file: WholeFile, bytes: Buffer, signed: boolean): void {
    const extent = sendFileHead(client, this.#described(client, file), signed, this.#deps.date());
    if (extent === undefined) return;
    const end = extent.end ?? bytes.length;
    const body = extent.start === 0 && end === bytes.length ? bytes : bytes.subarray(extent.start, end);
    client.bytes += body.length;
    client.end(body);
  }
}

/** The content that the client will accept, if it says so; what is no SHA-256 says nothing. */
function expectedBy(client: ClientExchange): Sha256 | undefined {
  const value = client.header(EXPECTED);
  return value === undefined ? undefined : parseSha256(value);
}

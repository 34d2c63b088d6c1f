/**
 * The side of the swarm that wants: files of this machine's transfers, from the links that have them, into the partial
 * files. It holds the wants and passes on what happens; how it is done is in the files beside this one.
 */
import type { InfoHash, Sha256 } from '../../../core/ids.ts';
import { isShareableSize } from '../../../core/swarm/pieces.ts';
import type { JobId } from '../../source.ts';
import type { BlockRef, Link, LinkFault } from '../link/link.ts';
import type { Contribution, PeerJob, PeerKey, PeerOutcome, PeerView, Ranges, WantedFile, WantId } from '../protocol.ts';
import { Asking, type Answer } from './asking.ts';
import type { DownloadsDeps } from './deps.ts';
import { EachTurn } from './each-turn.ts';
import { failed, JobRunner } from './job-runner.ts';
import { Lane, type Request } from './lane.ts';
import { MemoryBudget } from './memory-budget.ts';
import { PieceChecks } from './piece-checks.ts';
import { CHOKE_FOLLOWS_MS } from './promises.ts';
import { receive, type ReceiverDeps } from './receiver.ts';
import { Requester } from './requester.ts';
import { Slowness } from './slowness.ts';
import { TogetherFeed } from './together-feed.ts';
import { judge } from './verdict.ts';
import { Views } from './views.ts';
import { NOTHING, Want } from './want.ts';

/** Files wanted at once; more are not asked for. */
const MAX_WANTS = 4_096;

export class Downloads {
  readonly #deps: DownloadsDeps;
  readonly #wants = new Map<WantId, Want>();
  readonly #bySha256 = new Map<Sha256, Want>();
  readonly #lanes = new Map<Link, Lane>();
  readonly #turn = new EachTurn();
  readonly #receiver: ReceiverDeps;
  readonly #requester: Requester;
  readonly #checks: PieceChecks;
  readonly #runner: JobRunner;
  readonly #asking: Asking;
  readonly #together: TogetherFeed;
  readonly #views: Views;
  readonly #slowness: Slowness;
  /** Wants that are over and whose files are not closed, or whose lies are not found out. */
  readonly #closing = new Set<Promise<void>>();
  readonly #banned = new WeakSet<PeerKey>();
  #stopped = false;

  constructor(deps: DownloadsDeps) {
    this.#deps = deps;
    const { clock } = deps;
    const turn = this.#turn;
    const lanes = () => this.#lanes.values();
    const changed = (want: Want) => this.#views.changed(want);
    const budget = new MemoryBudget(() => this.#requester.soon());
    const requester = new Requester({
      clock,
      turn,
      budget,
      lanes,
      takeTokens: (bytes) => deps.takeTokens(bytes),
      checksBehind: () => this.#checks.behind,
      refused: (seller) => this.#slowness.slow(seller, clock.now()),
      pumped: (hungry) => {
        for (const want of hungry) this.#runner.failStuck(want);
      },
    });
    this.#requester = requester;
    this.#checks = new PieceChecks({
      log: deps.log,
      pieceRoot: (path, start, length) => deps.pieceRoot(path, start, length),
      ban: (peer, fault) => this.#ban(peer, fault),
      tell: (want, start, end) => this.#runner.told(want, start, end),
      dropped: (want, piece) => {
        this.#runner.lost(want, piece);
        changed(want);
      },
      agreed: (want, piece) => deps.pieceAgreed(want.file.sha256, piece),
      checked: () => requester.soon(),
    });
    const checks = this.#checks;
    this.#runner = new JobRunner({
      clock,
      turn,
      budget,
      blocks: deps.blocks,
      inPlace: deps.inPlace,
      requester,
      checks,
      wrote: (job, start, end) => deps.wrote(job, start, end),
    });
    this.#receiver = { clock, budget, requester, checks, runner: this.#runner, changed };
    this.#asking = new Asking({
      clock,
      turn,
      requester,
      lanes,
      changed,
      answered: (want, lane) => this.#together.answered(want, lane),
      treeTold: (want) => {
        if (!want.trust.agreed) checks.release(want);
      },
      fault: (lane, message) => this.#ban(lane.peer, { kind: 'protocol', message }),
    });
    this.#slowness = new Slowness({ clock, log: deps.log, requester, changed });
    this.#together = new TogetherFeed({ clock, changed, earlier: (sha256) => deps.earlier(sha256) });
    const offered = (id: WantId, view: PeerView) => deps.offered(id, view);
    this.#views = new Views({ clock, log: deps.log, turn, together: this.#together, offered });
  }

  seek(file: WantedFile): Promise<PeerView> {
    const refused = this.#stopped || this.#wants.has(file.id) || this.#wants.size >= MAX_WANTS;
    if (refused || !isShareableSize(file.size)) return Promise.resolve(NOTHING);
    const want = new Want(file, this.#deps.ownPeerId, this.#deps.clock);
    this.#wants.set(file.id, want);
    this.#bySha256.set(file.sha256, want);
    for (const link of this.#deps.links()) this.linkOpened(link);
    const now = this.#deps.clock.now();
    const lanes = [...this.#lanes.values()].filter((lane) => !lane.snubbed(now));
    for (const lane of lanes.toSorted((a, b) => b.window.rate - a.window.rate)) this.#asking.ask(want, lane);
    for (const link of this.#deps.wanters(file.sha256)) this.remoteWant(link, file.sha256, true);
    this.#together.asked(want);
    return this.#views.first(want);
  }

  fetch(job: PeerJob): Promise<PeerOutcome> {
    return this.#runner.start(this.#wants.get(job.want), job);
  }

  cancel(id: JobId): void {
    this.#runner.cancel(id);
  }

  /** What this machine takes from the mirror, and has taken; whole states. Called again while bytes arrive. */
  mirrored(id: WantId, fetching: Ranges, have: Ranges): void {
    const want = this.#wants.get(id);
    if (want === undefined) return;
    this.#together.mirrored(want, fetching, have);
    want.noteRefetched();
  }

  over(id: WantId, verified: boolean): void {
    const want = this.#wants.get(id);
    if (want === undefined) return;
    this.#wants.delete(id);
    if (this.#bySha256.get(want.file.sha256) === want) this.#bySha256.delete(want.file.sha256);
    this.#views.settle(want);
    want.closed = true;
    want.clearTimers();
    this.#runner.endAll(want, failed('CANCELLED', 'the file is not wanted any more'));
    this.#asking.end(want);
    const closing = this.#close(want, verified).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Who sent what is in the file now; asked for when the file turned out wrong. */
  contributions(id: WantId): readonly Contribution[] {
    const want = this.#wants.get(id);
    if (want === undefined) return [];
    // Otherwise it is too early to tell anything from the question.
    if (want.trust.allMatched) want.examined = true;
    return want.log.shares.map(({ start, end, writer }) => ({ peer: writer, start, end }));
  }

  /** Files that are wanted, by torrent. */
  wanted(): ReadonlyMap<InfoHash, number> {
    const counts = new Map<InfoHash, number>();
    for (const { file } of this.#wants.values()) {
      for (const torrent of file.torrents) counts.set(torrent, (counts.get(torrent) ?? 0) + 1);
    }
    return counts;
  }

  linkOpened(link: Link): void {
    if (this.#stopped || this.#lanes.has(link)) return;
    this.#lanes.set(link, new Lane(link));
    this.torrentsChanged(link);
  }

  torrentsChanged(link: Link): void {
    const lane = this.#lanes.get(link);
    if (lane === undefined) return;
    for (const want of this.#wants.values()) {
      this.#asking.ask(want, lane);
      if (want.sellers.has(lane)) this.#views.changed(want);
    }
  }

  linkClosed(link: Link): void {
    const lane = this.#lanes.get(link);
    if (lane === undefined) return;
    this.#lanes.delete(link);
    this.#asking.left(lane);
    for (const want of this.#wants.values()) this.#together.left(want, lane);
    this.#requester.soon();
  }

  message(link: Link, message: Answer): void {
    const lane = this.#lanes.get(link);
    if (lane !== undefined) this.#asking.answer(lane, message);
  }

  have(link: Link, index: number): void {
    const lane = this.#lanes.get(link);
    if (lane !== undefined && this.#asking.have(lane, index) !== undefined) this.#requester.soon();
  }

  /** @param data valid until this returns */
  block(link: Link, block: BlockRef, data: Buffer): void {
    const lane = this.#lanes.get(link);
    if (lane !== undefined) receive(this.#receiver, lane, block, data);
  }

  /** A request was refused, or choked away. */
  rejected(link: Link, block: BlockRef): void {
    const request = this.#lost(link, block);
    if (request === undefined) return;
    const { seller, ref } = request;
    const { lane, want, base = ref.index } = seller;
    if (link.peerChoking && !seller.isFast(ref.index - base)) return;
    const tooOften = lane.promises.broken(seller, ref.index - base, this.#deps.clock.now());
    want.later(CHOKE_FOLLOWS_MS, () => this.#requester.soon());
    this.#views.changed(want);
    if (tooOften) this.#ban(lane.peer, { kind: 'protocol', message: 'promises pieces and refuses them' });
  }

  timedOut(link: Link, block: BlockRef): void {
    const request = this.#lost(link, block);
    if (request === undefined) return;
    const { lane, want } = request.seller;
    lane.window.timedOut(want.small);
    this.#slowness.slow(request.seller, request.askedAt);
  }

  choked(link: Link, choked: boolean): void {
    const lane = this.#lanes.get(link);
    if (lane === undefined) return;
    if (choked) lane.promises.choked(this.#deps.clock.now());
    for (const { want } of lane.sellers) this.#views.changed(want);
    this.#requester.soon();
  }

  allowedFast(link: Link, index: number): void {
    const lane = this.#lanes.get(link);
    if (lane !== undefined) this.#asking.allowedFast(lane, index);
  }

  /** Another machine wants a file too, or no longer. */
  remoteWant(link: Link, sha256: Sha256, wanting: boolean): void {
    const lane = this.#lanes.get(link);
    const want = this.#bySha256.get(sha256);
    if (lane === undefined || want === undefined || want.wanters.has(lane) === wanting) return;
    this.#together.wanting(want, lane, wanting);
    this.#asking.askTrees(want);
  }

  /** What it takes from the mirror; the whole state. */
  remoteFetching(link: Link, sha256: Sha256, pieces: Uint8Array): void {
    const lane = this.#lanes.get(link);
    const want = this.#bySha256.get(sha256);
    if (lane === undefined || want === undefined || !want.wanters.has(lane)) return;
    if (want.together.names(link.peerId, pieces, this.#deps.clock.now())) this.#views.changed(want);
    else this.#ban(lane.peer, { kind: 'protocol', message: 'named pieces of another size' });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const id of [...this.#wants.keys()]) this.over(id, false);
    await Promise.all(this.#closing);
    this.#requester.stop();
    this.#asking.stop();
    this.#turn.stop();
    this.#runner.stop();
  }

  async #close(want: Want, verified: boolean): Promise<void> {
    await this.#runner.drained(want);
    const { log, pieceRoot, finalPath } = this.#deps;
    const ban = (peer: PeerKey, fault: LinkFault) => this.#ban(peer, fault);
    const paths = () => [want.file.path, finalPath(want.file.sha256)];
    if (!this.#stopped) await judge({ log, pieceRoot, ban, paths }, want, verified);
  }

  /** A request came to nothing; its block is to be asked for elsewhere. */
  #lost(link: Link, block: BlockRef): Request | undefined {
    const request = this.#lanes.get(link)?.take(block);
    if (request !== undefined) this.#requester.again(request);
    return request;
  }

  /** Once for each peer, though it may have done more than one thing. */
  #ban(peer: PeerKey, fault: LinkFault): void {
    if (this.#banned.has(peer)) return;
    this.#banned.add(peer);
    this.#deps.ban(peer, fault);
  }
}

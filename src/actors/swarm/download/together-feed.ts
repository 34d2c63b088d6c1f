/**
 * The part of fetching together that talks: says what this machine takes from the mirror to those who want the same
 * file, hears what they take, and keeps the plan of who takes what.
 */
import type { Clock } from '../../../core/clock.ts';
import type { Sha256 } from '../../../core/ids.ts';
import { RangeSet } from '../../../core/range-set.ts';
import { Bitmap } from '../../../core/swarm/bitmap.ts';
import { BEGUN_PART, MAX_SHARED_PIECES, PRESUME_MS } from '../../../core/swarm/fetching-together.ts';
import { PIECE_BYTES, piecesTouching, wholePieces } from '../../../core/swarm/pieces.ts';
import { EXPECT_MS, SILENT_MS } from '../../../core/swarm/taker.ts';
import type { Link } from '../link/link.ts';
import type { Ranges } from '../protocol.ts';
import type { Lane } from './lane.ts';
import type { Want } from './want.ts';

export interface TogetherFeedDeps {
  readonly clock: Clock;
  /** What others take may have changed. */
  changed(want: Want): void;
  /** Links whose peers came to the file earlier. */
  earlier(sha256: Sha256): ReadonlySet<Link>;
}

/** The same is not said again within this time, in milliseconds; a little below the protocol's 500. */
const REPEAT_MS = 400;

interface Told {
  claims: Bitmap;
  at: number;
}

export class TogetherFeed {
  readonly #deps: TogetherFeedDeps;
  readonly #told = new WeakMap<Want, Told>();
  readonly #timers = new WeakMap<Want, { readonly at: number; clear(): void }>();

  constructor(deps: TogetherFeedDeps) {
    this.#deps = deps;
  }

  /** The transfers say what they take from the mirror, and have taken. */
  mirrored(want: Want, fetching: Ranges, have: Ranges): void {
    const inside = want.file.size;
    const now = this.#deps.clock.now();
    const mirror = { fetching: bounded(fetching, inside), have: bounded(have, inside), at: now };
    const since = want.mirror?.since ?? now;
    const bytes = mirror.have.bytes - (want.mirror?.have.bytes ?? 0);
    // What was there at the first call took no time that is known.
    const pace = bytes > 0 && now > since ? ((now - since) * PIECE_BYTES) / mirror.have.bytes : want.mirror?.pace;
    want.mirror = { ...mirror, since, pace };
    if (want.together.alone) return;
    this.#deps.changed(want);
    this.announce(want, true);
  }

  /**
   * Links were asked for the file: those in step with this machine will want it too, and those that came to it earlier
   * are taking it, or have it, which they say in their answers.
   */
  asked(want: Want): void {
    const now = this.#deps.clock.now();
    this.#presume(want, now);
    const expected = [...want.sellers.keys()].filter((lane) => lane.standing.inStep && lane.isReckonedWith(now));
    if (expected.length === 0) return;
    for (const { link } of expected) want.together.expect(link.peerId, now);
    // Who says nothing is not expected for ever.
    want.later(EXPECT_MS, () => {
      for (const lane of expected) this.#hadItsTime(want, lane);
      this.#deps.changed(want);
    });
  }

  /** A link has answered. */
  answered(want: Want, lane: Lane): void {
    lane.standing.answered();
    want.together.answered(lane.link.peerId);
    this.#hadItsTime(want, lane);
    const now = this.#deps.clock.now();
    // It may have been absent when it came to be known that it wants the file.
    if (want.wanters.has(lane) && !lane.standing.distrusted(now)) want.together.join(lane.link.peerId, now);
  }

  /** The peer of a link is absent: what it wanted, maybe before its machine lost power, is not left to it. */
  absent(lane: Lane): void {
    const now = this.#deps.clock.now();
    for (const { want } of lane.sellers) {
      if (!want.wanters.has(lane)) continue;
      want.together.leave(lane.link.peerId, now, settled(want, want.available));
      this.#deps.changed(want);
    }
  }

  #presume(want: Want, now: number): void {
    const earlier = this.#deps.earlier(want.file.sha256);
    if (earlier.size === 0) return;
    const isPresumed = (lane: Lane) => earlier.has(lane.link) && !lane.standing.mute && lane.isReckonedWith(now);
    const presumed = [...want.sellers.keys()].filter(isPresumed);
    if (presumed.length === 0) return;
    for (const { link } of presumed) want.together.presume(link.peerId, now);
    want.later(PRESUME_MS, () => {
      for (const lane of presumed) if (want.sellers.get(lane)?.answered === false) lane.standing.gaveNoAnswer();
    });
  }

  /** Whoever has said that it wants the file is not only expected to. */
  #hadItsTime(want: Want, lane: Lane): void {
    if (want.together.unexpect(lane.link.peerId, this.#deps.clock.now())) lane.standing.step(Infinity);
  }

  /** The peer of a link wants the file too, or no longer. */
  wanting(want: Want, lane: Lane, wanting: boolean): void {
    const now = this.#deps.clock.now();
    if (wanting) {
      lane.standing.step(now - want.openedAt);
      want.wanters.add(lane);
      if (lane.isReckonedWith(now)) want.together.join(lane.link.peerId, now);
      const all = this.announce(want, false);
      const told = this.#told.get(want);
      if (!all && told !== undefined && !told.claims.isEmpty) this.#send(want, lane, told.claims);
    } else if (want.wanters.delete(lane)) {
      want.together.leave(lane.link.peerId, now, settled(want, want.available));
      this.#judge(want, [lane]);
    }
    this.#deps.changed(want);
  }

  /** The link is gone. */
  left(want: Want, lane: Lane): void {
    want.together.answered(lane.link.peerId);
    if (want.wanters.has(lane)) this.wanting(want, lane, false);
  }

  /** Pieces that others are taking, apart from what anybody has; also sees to it that changes in time are noticed. */
  elsewhere(want: Want, available: Bitmap): Bitmap | undefined {
    if (want.together.alone || want.pieces > MAX_SHARED_PIECES) return undefined;
    const plan = this.#plan(want, available);
    this.#judge(want, want.wanters);
    this.#lookAgain(want, plan.until);
    return plan.elsewhere;
  }

  /** Has the plan made again at that time, if nothing happens before. */
  #lookAgain(want: Want, at: number): void {
    const timer = this.#timers.get(want);
    if (timer?.at === at) return;
    timer?.clear();
    this.#timers.delete(want);
    if (at === Infinity) return;
    const wait = Math.max(at - this.#deps.clock.now(), 1);
    const { clear } = want.later(wait, () => {
      this.#timers.delete(want);
      this.#deps.changed(want);
    });
    this.#timers.set(want, { at, clear });
  }

  /**
   * Tells those who want the file what this machine takes: what it is taking, and what falls to it next.
   * @param repeat say it again though nothing is new: bytes are arriving
   * @returns whether it was said
   */
  announce(want: Want, repeat: boolean): boolean {
    if (want.wanters.size === 0 || want.pieces > MAX_SHARED_PIECES) return false;
    const now = this.#deps.clock.now();
    const told = this.#told.get(want) ?? { claims: new Bitmap(want.pieces), at: -Infinity };
    const active = takesFromMirror(want, now);
    if (!active && told.claims.isEmpty) return false;
    const claims = active ? this.#plan(want, want.available).mine : new Bitmap(want.pieces);
    // Also what it leaves to others now: they may be waiting for word of that.
    const news = Buffer.compare(claims.toBytes(), told.claims.toBytes()) !== 0;
    if (!news && (!repeat || claims.isEmpty || now - told.at < REPEAT_MS)) return false;
    this.#told.set(want, { claims, at: now });
    for (const lane of want.wanters) this.#send(want, lane, claims);
    return true;
  }

  /** Who lets others wait in vain is not waited for in the files to come. */
  #judge(want: Want, lanes: Iterable<Lane>): void {
    for (const lane of lanes) {
      const word = want.together.word(lane.link.peerId);
      if (word === 'kept' || want.wordBreakers.has(lane)) continue;
      want.wordBreakers.add(lane);
      lane.standing.brokeWord(word, this.#deps.clock.now());
    }
  }

  #send(want: Want, lane: Lane, claims: Bitmap): void {
    const seller = want.sellers.get(lane);
    if (seller === undefined) return;
    // The number has to be known at the other end.
    lane.flush();
    lane.link.send({ type: 'fetching', file: seller.file, pieces: claims.toBytes() });
  }

  #plan(want: Want, available: Bitmap) {
    const taking = touched(want, want.mirror?.fetching);
    const begun = wellBegun(want, taking);
    return want.together.plan({
      now: this.#deps.clock.now(),
      settled: settled(want, available),
      taking,
      begun,
      pace: want.mirror?.pace,
    });
  }
}

/** Pieces that are here, or that some peer has. */
function settled(want: Want, available: Bitmap): Bitmap {
  const here = want.got.clone();
  for (const { start, end } of want.mirror?.have.ranges ?? []) here.add(start, end);
  const pieces = available.copy();
  for (const piece of wholePieces(want.file.size, here.ranges)) pieces.set(piece);
  return pieces;
}

function takesFromMirror({ mirror }: Want, now: number): boolean {
  return mirror !== undefined && mirror.fetching.bytes > 0 && now - mirror.at <= SILENT_MS;
}

function touched(want: Want, ranges: RangeSet | undefined): Bitmap {
  const pieces = new Bitmap(want.pieces);
  for (const range of ranges?.ranges ?? []) {
    const { first, end } = piecesTouching(want.file.size, range);
    for (let piece = first; piece < end; piece++) pieces.set(piece);
  }
  return pieces;
}

/** The pieces of these of which so much has come from the mirror that they are not left to others. */
function wellBegun(want: Want, taking: Bitmap): Bitmap {
  const pieces = new Bitmap(want.pieces);
  for (const piece of taking) {
    const { start, end } = want.range(piece);
    const missing = want.mirror?.have.missing(start, end) ?? [];
    const came = missing.reduce((bytes, gap) => bytes - (gap.end - gap.start), end - start);
    if (came * BEGUN_PART >= end - start) pieces.set(piece);
  }
  return pieces;
}

function bounded(ranges: Ranges, size: number): RangeSet {
  const set = new RangeSet();
  for (const [start, end] of ranges) set.add(Math.max(start, 0), Math.min(end, size));
  return set;
}

/** What APT has asked for and has not been answered yet: the daemon learns of all of it, and APT what becomes of it. */
import { asDebtorrentError, ERRORS } from '../core/errors.ts';
import { field, type AptMessage } from '../core/method/apt-message.ts';
import type { DaemonMessage, WantFailure } from '../core/method/control.ts';
import { parseDebtorrentUri, type DebtorrentUri } from '../core/method/debtorrent-uri.ts';
import { expectedOf } from '../core/method/expected.ts';
import { acquire, type Wanted } from './acquire.ts';
import * as answers from './answers.ts';
import { ControlLink } from './control-link.ts';
import { DaemonLink } from './daemon-link.ts';
import { failure, failureOfAnswer, type Outcome } from './outcome.ts';
import { Progress, type Shown } from './progress.ts';
import { Queue, type Queued } from './queue.ts';
import type { Settings } from './settings.ts';
import { partialSize } from './target-file.ts';

/** Files below this size are written in a few milliseconds once they are there. */
const SMALL_BYTES = 1024 * 1024;

/** A daemon, and what it was told of. */
interface Partner {
  readonly link: DaemonLink;
  control: ControlLink | undefined;
}

interface Item extends Queued, Shown {
  readonly id: number;
  readonly where: DebtorrentUri;
  readonly wanted: Wanted;
  readonly partner: Partner;
  /** The daemon knows that it is wanted. */
  announced: boolean;
  failed: Outcome | undefined;
}

export class Transaction {
  readonly #settings: Settings;
  readonly #write: (text: string) => void;
  readonly #partners = new Map<string, Partner>();
  readonly #queue: Queue<Item>;
  readonly #byId = new Map<number, Item>();
  readonly #active = new Set<Item>();
  readonly #progress: Progress;
  /** Requests for an URI that is outstanding already, which APT makes for another target. */
  readonly #later = new Map<string, AptMessage[]>();
  #nextId = 1;
  #out = '';
  #pumping = false;

  constructor(settings: Settings, write: (text: string) => void) {
    this.#settings = settings;
    this.#write = write;
    this.#queue = new Queue(settings.depth);
    this.#progress = new Progress({
      send: (text) => this.#send(text),
      now: () => performance.now(),
      active: () => this.#active,
      waiting: () => this.#queue.size,
    });
  }

  /** `600 URI Acquire` */
  asked(message: AptMessage): void {
    const uri = field(message, 'uri');
    const filename = field(message, 'filename');
    if (uri === undefined) return;
    const known = this.#queue.find(uri);
    if (known?.outstanding === true) {
      const later = this.#later.get(uri) ?? [];
      this.#later.set(uri, later);
      later.push(message);
      return;
    }
    if (known !== undefined && known.wanted.filename === filename) {
      this.#queue.returned(known);
      this.#pumpSoon();
      return;
    }
    if (known !== undefined) this.#forget(known);
    try {
      const where = parseDebtorrentUri(uri, this.#settings.encoded);
      // `apt-get source` names files in the folder where it runs, which is ours as well
      if (filename === undefined || filename === '') throw new Error('APT names no file to write to');
      this.#add(uri, filename, where, message);
    } catch (error) {
      const { code, message: what } = asDebtorrentError(error);
      this.#send(answers.uriFailure(uri, failure(what, code)));
    }
  }

  #add(uri: string, filename: string, where: DebtorrentUri, message: AptMessage): void {
    const expected = expectedOf(message);
    const ifModifiedSince = expected.hashes.size === 0 ? field(message, 'last-modified') : undefined;
    const partner = this.#partnerAt(where);
    const item: Item = {
      ...{ id: this.#nextId++, uri, where, partner, announced: false, failed: undefined },
      ...{ wanted: { target: where.target, filename, expected, ifModifiedSince } },
      ...{ outstanding: true, ready: true, fetching: false, small: (expected.size ?? 0) < SMALL_BYTES },
      ...{ size: undefined, resumedAt: 0, begun: false, said: false },
      written: () => partialSize(filename),
    };
    const { sha256, size } = expected;
    if (sha256 !== undefined && size !== undefined && !partner.link.gone) {
      partner.control ??= this.#controlOf(partner);
      if (partner.control.open) {
        item.ready = false;
        item.announced = true;
        partner.control.want({ id: item.id, target: where.target, sha256, size });
      }
    }
    this.#byId.set(item.id, item);
    this.#queue.add(item);
    this.#progress.run();
    this.#pumpSoon();
  }

  /** After what came in one go has been read: APT sends as many requests at once as it may have outstanding. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const item of this.#queue.start()) void this.#fetch(item);
      for (const item of this.#queue.abandoned()) this.#forget(item);
      for (const item of this.#queue.handBack()) this.#send(answers.redirect(item.uri, item.uri));
      this.#flush();
    });
  }

  async #fetch(item: Item): Promise<void> {
    const { link } = item.partner;
    const gone: Outcome = { kind: 'daemon-gone', why: '' };
    this.#active.add(item);
    const outcome =
      item.failed ??
      (link.gone
        ? gone
        : await acquire(
            {
              link,
              forceHash: this.#settings.forceHash,
              now: Date.now,
              started: (size, resumedAt) => this.#progress.began(item, size, resumedAt),
            },
            item.wanted,
          ));
    this.#active.delete(item);
    this.#forget(item);
    this.#settle(item, outcome);
    const [next, ...rest] = this.#later.get(item.uri) ?? [];
    this.#later.set(item.uri, rest);
    if (rest.length === 0) this.#later.delete(item.uri);
    if (next !== undefined) this.asked(next);
    this.#pumpSoon();
  }

  #forget(item: Item): void {
    this.#queue.remove(item);
    this.#byId.delete(item.id);
    if (item.announced) item.partner.control?.over(item.id);
  }

  #settle(item: Item, outcome: Outcome): void {
    const { uri, wanted, where } = item;
    const answered = (answer: string, bytes?: number): void => this.#progress.answered(item, answer, bytes);
    switch (outcome.kind) {
      case 'done':
        answered(answers.uriDone(uri, wanted.filename, outcome), outcome.size);
        return;
      case 'not-modified':
        answered(answers.notModified(uri, wanted.filename, wanted.ifModifiedSince));
        return;
      case 'redirected':
        answered(answers.redirect(uri, outcome.to));
        return;
      case 'failed':
        answered(answers.uriFailure(uri, outcome));
        return;
      case 'daemon-gone':
        this.#leave(item.partner, outcome.why);
        answered(answers.redirect(uri, where.direct));
    }
  }

  /** From now on everything that was to come from this daemon comes from mirrors. */
  #leave(partner: Partner, why: string): void {
    if (partner.link.gone) return;
    partner.link.gone = true;
    this.#send(answers.warning(`no DebTorrent on ${partner.link.name} (${why}), files come from the mirror directly`));
    this.#arrived(partner);
  }

  #controlOf(partner: Partner): ControlLink {
    return new ControlLink(
      partner.link,
      (message) => this.#told(partner, message),
      (gone) => {
        if (gone !== undefined) this.#leave(partner, gone);
        // what is ready is not told any more: everything is asked for
        else this.#arrived(partner);
      },
    );
  }

  #told(partner: Partner, { ready = [], failed = [], figures }: DaemonMessage): void {
    for (const each of failed) {
      const item = this.#byId.get(each.id);
      if (item?.partner === partner && !item.fetching) item.failed = failureOf(each);
    }
    this.#arrived(partner, [...ready, ...failed.map(({ id }) => id)]);
    if (figures !== undefined) this.#progress.figures(figures);
  }

  #arrived(partner: Partner, ids: Iterable<number> = this.#byId.keys()): void {
    for (const id of ids) {
      const item = this.#byId.get(id);
      if (item?.partner === partner) this.#queue.arrived(item);
    }
    this.#pumpSoon();
  }

  #partnerAt({ host, port }: DebtorrentUri): Partner {
    const key = `${host} ${port}`;
    let partner = this.#partners.get(key);
    if (partner === undefined) {
      partner = { link: new DaemonLink(host, port, this.#settings), control: undefined };
      this.#partners.set(key, partner);
    }
    return partner;
  }

  #send(text: string): void {
    if (this.#out === '') setImmediate(() => this.#flush());
    this.#out += text;
  }

  #flush(): void {
    const text = this.#out;
    this.#out = '';
    if (text !== '') this.#write(text);
  }
}

function failureOf({ code, message }: WantFailure): Outcome {
  return failureOfAnswer(ERRORS[code].status, code, message);
}

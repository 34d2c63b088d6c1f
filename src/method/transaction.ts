/** What APT has asked for and has not been answered yet: each file is fetched, and APT told what became of it. */
import { field, type AptMessage } from '../core/method/apt-message.ts';
import { parseDebtorrentUri, type DebtorrentUri } from '../core/method/debtorrent-uri.ts';
import { expectedOf } from '../core/method/expected.ts';
import { asDebtorrentError } from '../core/errors.ts';
import { acquire, type Wanted } from './acquire.ts';
import * as answers from './answers.ts';
import { DaemonLink } from './daemon-link.ts';
import { failure, type Outcome } from './outcome.ts';
import type { Settings } from './settings.ts';

interface Item {
  readonly uri: string;
  readonly where: DebtorrentUri;
  readonly wanted: Wanted;
  readonly link: DaemonLink;
}

export class Transaction {
  readonly #settings: Settings;
  readonly #send: (text: string) => void;
  readonly #links = new Map<string, DaemonLink>();

  constructor(settings: Settings, send: (text: string) => void) {
    this.#settings = settings;
    this.#send = send;
  }

  /** `600 URI Acquire` */
  asked(message: AptMessage): void {
    const uri = field(message, 'uri');
    const filename = field(message, 'filename');
    if (uri === undefined) return;
    let where: DebtorrentUri;
    try {
      where = parseDebtorrentUri(uri, this.#settings.encoded);
      if (filename === undefined || !filename.startsWith('/')) throw new Error('APT names no file to write to');
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      this.#send(answers.uriFailure(uri, failure(message, code)));
      return;
    }
    const expected = expectedOf(message);
    const ifModifiedSince = expected.hashes.size === 0 ? field(message, 'last-modified') : undefined;
    const wanted = { target: where.target, filename, expected, ifModifiedSince };
    void this.#fetch({ uri, where, wanted, link: this.#linkTo(where) });
  }

  async #fetch(item: Item): Promise<void> {
    const { uri, link, wanted } = item;
    if (link.gone) {
      this.#send(answers.redirect(uri, item.where.direct));
      return;
    }
    const outcome = await acquire(
      {
        link,
        forceHash: this.#settings.forceHash,
        now: Date.now,
        started: (size, resumedAt) => this.#send(answers.uriStart(uri, size, resumedAt)),
      },
      wanted,
    );
    this.#settle(item, outcome);
  }

  #settle({ uri, wanted, link, where }: Item, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'done':
        this.#send(answers.uriDone(uri, wanted.filename, outcome));
        return;
      case 'not-modified':
        this.#send(answers.notModified(uri, wanted.filename, wanted.ifModifiedSince));
        return;
      case 'redirected':
        this.#send(answers.redirect(uri, outcome.to));
        return;
      case 'failed':
        this.#send(answers.uriFailure(uri, outcome));
        return;
      case 'daemon-gone':
        if (!link.gone) {
          link.gone = true;
          const why = `no DebTorrent on ${link.name} (${outcome.why}): fetching from the mirror itself`;
          this.#send(answers.warning(why));
        }
        this.#send(answers.redirect(uri, where.direct));
    }
  }

  #linkTo({ host, port }: DebtorrentUri): DaemonLink {
    const key = `${host} ${port}`;
    let link = this.#links.get(key);
    if (link === undefined) this.#links.set(key, (link = new DaemonLink(host, port, this.#settings)));
    return link;
  }
}

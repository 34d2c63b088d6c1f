/** The daemon's own addresses: /, /status.json, /status.events, /metrics, /healthz, /readyz. */
import { hostname } from 'node:os';

import type { DatedClock } from '../core/clock.ts';
import { asDebtorrentError, DebtorrentError } from '../core/errors.ts';
import { formatAuthority, parseAuthority } from '../core/http/authority.ts';
import type { HostRules } from '../core/host-rules.ts';
import { errorHeaders, sendText, TEXT_TYPE } from './answer.ts';
import type { ClientExchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';
import { answerMirrorQuestion, type MirrorAnswer } from './mirror-question.ts';
import { outerAddress } from './own-names.ts';
import type { History } from './status/history.ts';
import type { Observer } from './status/observe.ts';
import { readAssets, type Assets } from './status/page/assets.ts';
import { page, picture, type PageFacts } from './status/page/page.ts';
import type { UseFacts } from './status/page/use.ts';
import type { Reporter } from './status/report.ts';
import { Viewers, type Picture } from './status/viewers.ts';

export interface OwnPagesDeps {
  readonly version: string;
  readonly rules: HostRules;
  readonly observer: Observer;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly history: History;
  readonly clock: DatedClock;
  /** `ADDR:PORT` where clients are served. */
  listening(): string;
  ready(): boolean;
}

const OK: MirrorAnswer = { status: 200, text: 'ok\n' };
const JSON_TYPE = 'application/json; charset=utf-8';
const HTML_TYPE = 'text/html; charset=utf-8';
/** Whoever loads the page within this time, in milliseconds, sees the same; also how old a picture may be. */
const SHARED_MS = 800;

export class OwnPages {
  readonly #deps: OwnPagesDeps;
  readonly #viewers: Viewers;
  #assets: Assets | undefined;

  constructor(deps: OwnPagesDeps) {
    this.#deps = deps;
    this.#viewers = new Viewers({ clock: deps.clock, picture: () => this.#picture() });
  }

  async serve(client: ClientExchange, path: string, query: string): Promise<void> {
    client.firstByteMs = performance.now() - client.startedAt;
    switch (path) {
      case '/status.json':
        sendText(client.res, 200, JSON_TYPE, `${JSON.stringify(await this.#deps.reporter.now())}\n`);
        return;
      case '/status.events':
        if (client.head) sendText(client.res, 200, 'text/event-stream; charset=utf-8', '');
        else this.#viewers.add(client.res);
        return;
      case '/metrics':
        sendText(client.res, 200, this.#deps.metrics.contentType, await this.#metrics());
        return;
      case '/healthz':
        this.#health(client, query);
        return;
      case '/readyz':
        await this.#readiness(client);
        return;
      default:
        await this.#welcome(client);
    }
  }

  /** Ends the streams of those who watch: they have no end of their own. */
  close(): void {
    this.#viewers.close();
  }

  #health({ res }: ClientExchange, query: string): void {
    const { status, text, code } = answerMirrorQuestion(this.#deps.rules, query) ?? OK;
    // no failed request: an answer that APT asks for with each archive that the daemon does not serve
    sendText(res, status, TEXT_TYPE, text, code && errorHeaders(code));
  }

  /** Ready means that every part answers, not only that the port is open. */
  async #readiness(client: ClientExchange): Promise<void> {
    const { observer } = this.#deps;
    try {
      if (!this.#deps.ready()) throw new DebtorrentError('STOPPING', 'starting or stopping');
      await Promise.all([observer.answers(), observer.peers()]);
      sendText(client.res, 200, TEXT_TYPE, 'ready\n');
    } catch (error) {
      const { code, message } = asDebtorrentError(error);
      client.errorCode = code;
      const headers = { 'Retry-After': '1', 'X-Debtorrent-Error': code };
      sendText(client.res, 503, TEXT_TYPE, `not ready: ${message}\n`, headers);
    }
  }

  async #metrics(): Promise<string> {
    const { observer, reporter, metrics } = this.#deps;
    const { transfers, totals, cache, mirrors, swarm } = await observer.now();
    return metrics.render({
      transfers: transfers.length,
      hashFailures: totals.hashFailures,
      cacheBytes: cache.bytes,
      cacheFiles: cache.files,
      torrents: reporter.torrents(swarm.torrents),
      mirrors,
      peers: swarm.totals,
    });
  }

  /** The page for browsers; some lines for everybody else. */
  async #welcome(client: ClientExchange): Promise<void> {
    const usage = this.#usage(client);
    if (client.header('accept')?.includes('text/html') !== true) {
      sendText(client.res, 200, TEXT_TYPE, this.#lines(usage), { Vary: 'Accept' });
      return;
    }
    this.#assets ??= readAssets();
    const facts = await this.#facts();
    const unused = typeof facts.report !== 'string' && facts.report.lifetime.served_bytes === 0;
    sendText(client.res, 200, HTML_TYPE, page(facts, { ...usage, unused }, this.#assets), {
      Vary: 'Accept',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': this.#assets.policy,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    });
  }

  async #picture(): Promise<Picture> {
    this.#assets ??= readAssets();
    return picture(await this.#facts(), this.#assets.version);
  }

  /** A daemon of which a part does not answer still has a page, which says so. */
  async #facts(): Promise<PageFacts> {
    const { version, history, reporter, clock } = this.#deps;
    const report = await reporter.lately(SHARED_MS).catch((error: unknown) => asDebtorrentError(error).message);
    return { name: hostname(), version, history, now: clock.date(), report };
  }

  #usage(client: ClientExchange): UseFacts {
    const listening = parseAuthority(this.#deps.listening());
    const port = listening?.port ?? 0;
    // The target has been checked: a Host header that is here is a name of this daemon.
    const here = client.header('host') ?? formatAuthority('localhost', port);
    const all = listening?.host === '0.0.0.0' || listening?.host === '::';
    const outer = all ? outerAddress() : undefined;
    const own = parseAuthority(here)?.host;
    const loopback = own === 'localhost' || own === '::1' || own?.startsWith('127.') === true;
    const others = loopback ? outer && formatAuthority(outer, port) : here;
    return { here, others, unused: true };
  }

  #lines({ here }: UseFacts): string {
    return [
      `DebTorrent ${this.#deps.version}: a proxy for APT.`,
      '',
      'Point APT here in one of two ways:',
      `  deb http://${here}/ftp.us.debian.org/debian trixie main        (prefix form, in sources.list)`,
      `  Acquire::http::Proxy "http://${here}";                         (proxy form, in apt.conf)`,
      '',
      'See / with a browser, /status.json, /metrics, /healthz and /readyz.',
      '',
    ].join('\n');
  }
}

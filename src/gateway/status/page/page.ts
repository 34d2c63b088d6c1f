/** The status page: one document, whole without scripts, and its sections by name for those who watch it live. */
import { duration } from '../../../core/text.ts';
import type { History } from '../history.ts';
import type { StatusReport } from '../report.ts';
import type { Picture } from '../viewers.ts';
import type { Assets } from './assets.ts';
import { html, type Html } from './html.ts';
import { now as current, pace } from './now.ts';
import { cache, errors, mirrors, swarm } from './others.ts';
import { foreign, section } from './pieces.ts';
import { savings } from './saved.ts';
import { broken, state } from './state.ts';
import { use, type UseFacts } from './use.ts';

export interface PageFacts {
  /** Of this machine. */
  readonly name: string;
  readonly version: string;
  readonly history: History;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Or why there is none. */
  readonly report: StatusReport | string;
}

/** What the sections hold, in the order of the questions that people ask. */
function sections({ report, history, now }: PageFacts): ReadonlyMap<string, Html> {
  if (typeof report === 'string') return new Map([['state', broken(report)]]);
  return new Map([
    ['state', state(report)],
    ['now', current(report)],
    ['pace', pace(history.steps)],
    ['saved', savings(report, history, now)],
    ['swarm', swarm(report)],
    ['cache', cache(report)],
    ['mirrors', mirrors(report, now)],
    ['errors', errors(report, now)],
    ['uptime', html`${duration(report.uptime_s)}`],
  ]);
}

export function picture(facts: PageFacts, version: string): Picture {
  return new Map([['version', version], ...[...sections(facts)].map(([name, { text }]) => [name, text] as const)]);
}

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230b6b4f'/%3E%3Cpath d='M16 6v13m-6-6 6 6 6-6M8 25h16' fill='none' stroke='white' stroke-width='3' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E";

export function page(facts: PageFacts, usage: UseFacts, { style, script, version }: Assets): string {
  const parts = sections(facts);
  const part = (name: string) => parts.get(name);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="version" content="${version}" />
        <title>DebTorrent on ${facts.name}</title>
        <link rel="icon" href="${ICON}" />
        ${style}
      </head>
      <body>
        <a class="skip" href="#main">To the content</a>
        <header>
          <img src="${ICON}" alt="" width="36" height="36" />
          <div>
            <h1>DebTorrent</h1>
            <p class="soft">
              on ${foreign(facts.name)}, version ${facts.version}, up
              <span data-live="uptime">${part('uptime') ?? '?'}</span>
            </p>
          </div>
          <p class="live" hidden>
            <span id="live">live</span> <button type="button" id="pause" aria-pressed="false">Pause</button>
          </p>
        </header>
        <main id="main" tabindex="-1">
          <section class="card" id="state" aria-label="Is it working?">
            <div data-live="state">${part('state')}</div>
          </section>
          ${use(usage)}
          ${
            part('now') &&
            html`<section class="card" id="now" aria-labelledby="now-title">
                <h2 id="now-title">Now</h2>
                <div data-live="now">${part('now')}</div>
                <div data-live="pace">${part('pace')}</div>
              </section>
              ${section('saved', 'Saved', part('saved'))} ${section('swarm', 'Torrents and peers', part('swarm'))}
              <div class="pair">
                ${section('cache', 'Cache', part('cache'))}${section('mirrors', 'Mirrors', part('mirrors'))}
              </div>
              ${section('errors', 'What went wrong lately', part('errors'))}`
          }
        </main>
        <footer class="soft">
          <nav aria-label="For programs">
            For programs: <a href="/status.json">/status.json</a> <a href="/metrics">/metrics</a>
            <a href="/healthz">/healthz</a> <a href="/readyz">/readyz</a>
          </nav>
          <noscript
            >Without scripts this page shows how it was when it was loaded. <a href="/">Load it again</a></noscript
          >
        </footer>
        ${script}
      </body>
    </html> `.text;
}

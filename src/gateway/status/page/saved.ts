/** What has it saved? Bytes that no mirror had to send, in all and over time. */
import { bytes, counted, percent } from '../../../core/text.ts';
import { saved, type History, type Span } from '../history.ts';
import type { StatusReport } from '../report.ts';
import { line, stackedBars } from './charts.ts';
import { html, type Html } from './html.ts';
import { date, legend, roundTop } from './pieces.ts';

const HOURS = 24;
const DAYS = 30;

export function savings({ lifetime }: StatusReport, history: History, now: number): Html {
  const { saved_bytes: kept, from_mirror_bytes: mirror, from_cache_bytes: cache, from_peers_bytes: peers } = lifetime;
  const all = kept + mirror;
  if (all === 0)
    return html`<p class="soft">Nothing yet: it begins with the first package that is asked for twice.</p>`;
  return html`<p class="big"><b>${bytes(kept)}</b> that no mirror had to send, <b>${percent(kept, all)}</b> of all</p>
    ${line(
      [
        { name: 'cache', value: cache },
        { name: 'peers', value: peers },
        { name: 'mirror', value: mirror },
      ],
      all,
    )}${legend([
      { name: 'cache', says: html`from the cache <b>${bytes(cache)}</b>` },
      { name: 'peers', says: html`from peers <b>${bytes(peers)}</b>` },
      { name: 'mirror', says: html`from mirrors <b>${bytes(mirror)}</b>` },
    ])}
    <div class="plots">
      ${over('The last 24 hours', history.hours(HOURS, now), hour)}${over('The last 30 days', history.days(DAYS, now), day)}
    </div>
    <p class="soft">
      Since ${date(lifetime.since)}: ${counted(lifetime.requests, 'request')}, ${bytes(lifetime.served_bytes)} to
      clients, ${bytes(lifetime.uploaded_bytes)} given to peers.
    </p>`;
}

function over(title: string, spans: readonly Span[], name: (at: number) => string): Html {
  const most = Math.max(0, ...spans.map((span) => saved(span) + span.mirror));
  const top = roundTop(most, 1024);
  const total = spans.reduce((sum, span) => sum + saved(span), 0);
  const bars = spans.map((span) => ({
    parts: [
      { name: 'cache' as const, value: span.cache },
      { name: 'peers' as const, value: span.peers },
      { name: 'mirror' as const, value: span.mirror },
    ],
    says: `${name(span.at)}: ${bytes(saved(span))} saved, ${bytes(span.mirror)} from mirrors`,
  }));
  return html`<figure>
    <figcaption>${title} <span class="soft">${most > 0 ? `up to ${bytes(top)}` : 'nothing yet'}</span></figcaption>
    ${stackedBars(bars, top, `${title}: ${bytes(total)} saved.`)}
  </figure>`;
}

const HOUR = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
  timeZoneName: 'short',
});
const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' });

const hour = (at: number) => HOUR.format(at);
const day = (at: number) => DAY.format(at);

/** Torrents and peers, the cache, mirrors, and what went wrong. */
import { bytes, counted, grouped, mirrorTrouble, percent } from '../../../core/text.ts';
import { ERRORS } from '../../../core/errors.ts';
import type { StatusReport } from '../report.ts';
import { line } from './charts.ts';
import { html, type Html } from './html.ts';
import { ago, foreign, rate, table } from './pieces.ts';

const MAX_ROWS = 25;

export function swarm(report: StatusReport): Html {
  const { torrents, peers, peering, totals } = report;
  const sorted = peers.toSorted(
    (a, b) => Number(a.banned) - Number(b.banned) || b.down_rate + b.up_rate - (a.down_rate + a.up_rate),
  );
  return html`<h3>${counted(torrents.length, 'torrent')}</h3>
    ${
      torrents.length === 0
        ? html`<p class="soft">Each verified index of packages is one. They come with the first apt-get update.</p>`
        : table(
            'Torrents',
            [
              { title: 'Index', cell: ({ name }) => foreign(name) },
              { title: 'Files', number: true, cell: ({ files }) => grouped(files) },
              { title: 'Size', number: true, cell: (torrent) => bytes(torrent.bytes) },
              { title: 'Peers', number: true, cell: (torrent) => grouped(torrent.peers) },
              { title: 'Wanted', number: true, cell: ({ wanted }) => grouped(wanted) },
            ],
            torrents,
            MAX_ROWS,
          )
    }
    <h3>
      ${counted(peers.filter(({ banned }) => !banned).length, 'peer')}${totals.bans > 0 && html`, ${totals.bans} banned`}
    </h3>
    ${
      peers.length > 0
        ? table(
            'Peers',
            [
              { title: 'Address', cell: ({ address }) => html`<code>${foreign(address)}</code>` },
              { title: 'Client', cell: ({ client }) => foreign(client === '' ? 'unknown' : client) },
              { title: 'From it', number: true, cell: (peer) => amount(peer.down_bytes, peer.down_rate) },
              { title: 'To it', number: true, cell: (peer) => amount(peer.up_bytes, peer.up_rate) },
              {
                title: 'State',
                cell: ({ banned }) => (banned ? html`<span class="tag bad">banned: wrong bytes</span>` : 'connected'),
              },
            ],
            sorted,
            MAX_ROWS,
          )
        : html`<p class="soft">
            ${
              peering === 'off'
                ? 'Peers are turned off (--peer-listen off).'
                : 'Other machines with DebTorrent on this network are found by themselves; elsewhere name a --peer or a --tracker.'
            }
          </p>`
    }`;
}

/** With what it is now, where that is something. */
function amount(sum: number, speed: number): Html {
  return html`${bytes(sum)}${speed > 0 && html` <span class="soft">${rate(speed)}</span>`}`;
}

export function cache({ cache: { files, bytes: used, limit_bytes: limit, answers, hits } }: StatusReport): Html {
  const size =
    limit > 0
      ? html`<b>${bytes(used)}</b> of ${bytes(limit)} (${percent(used, limit)})`
      : html`<b>${bytes(used)}</b>, without a limit`;
  return html`<dl class="figures">
      <div>
        <dt>Files</dt>
        <dd>${grouped(files)}</dd>
      </div>
      <div>
        <dt>Served from it since the start</dt>
        <dd>${answers === 0 ? 'nothing yet' : `${percent(hits, answers)} of ${grouped(answers)}`}</dd>
      </div>
    </dl>
    ${limit > 0 && line([{ name: 'cache', value: used }], limit)}
    <p>${size}</p>`;
}

export function mirrors(report: StatusReport, now: number): Html {
  if (report.mirrors.length === 0) return html`<p class="soft">No mirror was asked since the start.</p>`;
  return table(
    'Mirrors',
    [
      { title: 'Mirror', cell: ({ host }) => foreign(host) },
      { title: 'Received', number: true, cell: (mirror) => bytes(mirror.bytes) },
      { title: 'Failures', number: true, cell: ({ errors }) => grouped(errors) },
      {
        title: 'Health',
        cell: ({ failing, last_error: last }) =>
          failing
            ? html`<span class="tag bad">${mirrorTrouble(last?.code)}</span>`
            : html`<span class="tag good">answers</span
                >${last !== null && html` <span class="soft">${last.code} ${ago(last.at, now)}</span>`}`,
      },
    ],
    report.mirrors.toSorted((a, b) => Number(b.failing) - Number(a.failing) || b.bytes - a.bytes),
    MAX_ROWS,
  );
}

export function errors({ recent_errors: rows }: StatusReport, now: number): Html {
  if (rows.length === 0) return html`<p class="soft">Nothing since the start.</p>`;
  return table(
    'What went wrong lately',
    [
      { title: 'When', cell: ({ at }) => ago(at, now) },
      {
        title: 'Code',
        cell: ({ code }) => (code === null ? '' : html`<code title="${ERRORS[code].summary}">${code}</code>`),
      },
      { title: 'With', cell: ({ about }) => html`<span class="about">${foreign(about)}</span>` },
      { title: 'What', cell: ({ message }) => html`<span class="long">${foreign(message)}</span>` },
      { title: 'Times', number: true, cell: ({ count }) => grouped(count) },
    ],
    rows,
    MAX_ROWS,
  );
}

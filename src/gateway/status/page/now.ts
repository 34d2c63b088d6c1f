/** What is it doing now? Rates, and the files on their way. */
import { bytes, counted, duration, percent } from '../../../core/text.ts';
import { MAX_STEPS, STEP_MS, type Step } from '../history.ts';
import type { StatusReport } from '../report.ts';
import { line, stackedSteps } from './charts.ts';
import { html, type Html, type Part } from './html.ts';
import { foreign, legend, more, rate, roundTop } from './pieces.ts';

type Transfer = StatusReport['transfers'][number];

const MAX_SHOWN = 12;

export function now({ transfers, rates, peers }: StatusReport): Html {
  const linked = peers.filter(({ banned }) => !banned).length;
  const figures: readonly (readonly [string, string, string])[] = [
    ['From mirrors', rate(rates.from_mirror), 'mirror'],
    ['From peers', rate(rates.from_peers), 'peers'],
    ['To peers', rate(rates.uploaded), 'none'],
    ['Connected peers', String(linked), 'none'],
  ];
  const sorted = transfers.toSorted((a, b) => b.waiting_clients - a.waiting_clients || b.rate - a.rate);
  return html`<dl class="figures">
      ${figures.map(
        ([title, value, colour]) =>
          html`<div>
            <dt><span class="dot fill-${colour}" aria-hidden="true"></span>${title}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    <h3>${transfers.length === 0 ? 'Nothing is being fetched' : `Fetching ${counted(transfers.length, 'file')}`}</h3>
    ${
      transfers.length > 0 &&
      html`<ul class="transfers">
        ${sorted.slice(0, MAX_SHOWN).map(row)}
      </ul>`
    }${more(sorted.length - MAX_SHOWN)}`;
}

function row(transfer: Transfer): Html {
  const { path, size, received, from_peers: peers, from_mirror: mirror } = transfer;
  const [directory, name] = split(path);
  const whole = Math.max(size ?? 0, received);
  // Sources may have sent some of it twice; what neither sent was there from an earlier try.
  const sent = Math.max(peers + mirror, 1);
  const scale = Math.min(received / sent, 1);
  const parts = [
    { name: 'peers', value: peers * scale },
    { name: 'mirror', value: mirror * scale },
    { name: 'cache', value: Math.max(received - (peers + mirror) * scale, 0) },
  ];
  const done = size === null ? undefined : percent(received, size);
  const value = size === null ? undefined : Math.floor((100 * received) / Math.max(size, 1));
  return html`<li>
    <p class="name"><b>${foreign(name)}</b> <span class="soft">${foreign(directory)}</span></p>
    <div
      role="progressbar"
      aria-label="${name}"
      aria-valuemin="0"
      aria-valuemax="100"
      ${value !== undefined && html`aria-valuenow="${value}"`}
      aria-valuetext="${done ?? bytes(received)}"
    >
      ${line(parts, size === null ? whole * 2 : whole)}
    </div>
    <p class="facts">${facts(transfer, done)}</p>
  </li>`;
}

function facts(
  { size, received, rate: speed, from_peers, from_mirror, waiting_clients, state }: Transfer,
  done?: string,
): Part {
  const words: Part[] = [];
  if (state === 'starting') words.push('asking for it');
  if (state === 'verifying') words.push('checking it');
  words.push(size === null ? bytes(received) : `${done} of ${bytes(size)}`);
  if (speed > 0) words.push(rate(speed));
  if (speed > 0 && size !== null && size > received)
    words.push(`${duration(Math.ceil((size - received) / speed))} left`);
  if (from_peers > 0) words.push(`${percent(from_peers, from_peers + from_mirror)} from peers`);
  words.push(
    waiting_clients === 0
      ? 'nobody waits any more'
      : `${counted(waiting_clients, 'client')} wait${waiting_clients === 1 ? 's' : ''}`,
  );
  return words.map((word) => html`<span>${word}</span> `);
}

/** Of an address, what is before the file's name and the name. */
function split(path: string): [directory: string, name: string] {
  const plain = path.replace(/^https?:\/\//, '');
  const end = plain.lastIndexOf('/');
  const name = plain.slice(end + 1);
  return name === '' ? ['', plain] : [plain.slice(0, end + 1), name];
}

export function pace(steps: readonly Step[]): Html {
  const values = (pick: (step: Step) => number) => steps.map(pick);
  const most = Math.max(0, ...steps.map(({ cache, peers, mirror }) => cache + peers + mirror));
  const minutes = (MAX_STEPS * STEP_MS) / 60_000;
  if (most === 0) return html`<p class="soft">Nothing was moved in the last ${minutes} minutes.</p>`;
  const top = roundTop(most, 1024);
  return html`<figure>
    <figcaption>The last ${minutes} minutes <span class="soft">up to ${rate(top)}</span></figcaption>
    ${stackedSteps(
      [
        { name: 'mirror', values: values(({ mirror }) => mirror) },
        { name: 'peers', values: values(({ peers }) => peers) },
        { name: 'cache', values: values(({ cache }) => cache) },
      ],
      MAX_STEPS,
      top,
      `Rates of the last ${minutes} minutes, at most ${rate(most)}.`,
    )}${legend([
      { name: 'mirror', says: 'from mirrors' },
      { name: 'peers', says: 'from peers' },
      { name: 'cache', says: 'from the cache' },
    ])}
  </figure>`;
}

/** Is it working? The head of the page. */
import type { Check, Health } from '../health.ts';
import type { StatusReport } from '../report.ts';
import { html, type Html } from './html.ts';
import { foreign } from './pieces.ts';

const NAMES: Readonly<Record<Check['name'], string>> = {
  archives: 'Signatures',
  mirrors: 'Mirrors',
  peers: 'Peers',
  cache: 'Cache',
};
/** A mark that does not need its colour, and what it is called where it is not seen. */
const MARKS = { good: ['✓', 'good'], idle: ['○', 'nothing yet'], trouble: ['!', 'trouble'] } as const;

export function state({ health }: StatusReport): Html {
  return html`${headline(health.state, health.says)}
    <ul class="checks">
      ${health.checks.map(check)}
    </ul>`;
}

/** When a part that the daemon cannot do without does not answer. */
export function broken(message: string): Html {
  return headline('broken', `It does not work: ${message}.`);
}

function headline(kind: Health['state'] | 'broken', says: string): Html {
  const mark = kind === 'working' ? '✓' : kind === 'trouble' ? '!' : '✕';
  return html`<p class="headline ${kind}" role="status">
    <span class="mark" aria-hidden="true">${mark}</span> ${foreign(says)}
  </p>`;
}

function check({ name, state: how, says }: Check): Html {
  const [mark, called] = MARKS[how];
  return html`<li class="${how}">
    <span class="mark" aria-hidden="true">${mark}</span><b>${NAMES[name]}<span class="unseen"> (${called})</span></b
    ><span>${foreign(says)}</span>
  </li>`;
}

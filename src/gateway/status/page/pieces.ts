/** Pieces that several sections of the page share. */
import { bytes, duration } from '../../../core/text.ts';
import { html, type Html, type Part } from './html.ts';

/** A section that the stream keeps up to date replaces what is inside of the element with this name as its id. */
export function section(name: string, title: string, content: Part): Html {
  return html`<section class="card" id="${name}" aria-labelledby="${name}-title">
    <h2 id="${name}-title">${title}</h2>
    <div data-live="${name}">${content}</div>
  </section>`;
}

export interface Column<Row> {
  readonly title: string;
  readonly number?: boolean;
  cell(row: Row): Part;
}

/** A table on wide screens, a list of cards on narrow ones: each cell knows what its column is called. */
export function table<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[], most: number): Html {
  const shown = rows.slice(0, most);
  const style = (column: Column<Row>) => (column.number === true ? 'number' : '');
  return html`<div class="scroll" role="group" aria-label="${caption}" tabindex="0">
      <table role="table">
        <caption class="unseen">
          ${caption}
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map(
              (column) => html`<th scope="col" role="columnheader" class="${style(column)}">${column.title}</th>`,
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${shown.map(
            (row) =>
              html`<tr role="row">
                ${columns.map((column, index) =>
                  index === 0
                    ? html`<th scope="row" role="rowheader" class="${style(column)}">${column.cell(row)}</th>`
                    : html`<td role="cell" class="${style(column)}" data-title="${column.title}">
                        ${column.cell(row)}
                      </td>`,
                )}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${more(rows.length - shown.length)}`;
}

export function more(count: number): Part {
  return count > 0 && html`<p class="soft">and ${count} more, which <a href="/status.json">/status.json</a> has</p>`;
}

export function rate(amount: number): string {
  return `${bytes(amount)}/s`;
}

/** `3 min ago`, with the exact time on it. */
export function ago(at: number, now: number): Html {
  const seconds = Math.max((now - at) / 1000, 0);
  // In steps, so that nothing changes every second that need not.
  const says = seconds < 10 ? 'just now' : seconds < 60 ? 'less than a minute ago' : `${duration(seconds)} ago`;
  const exact = new Date(at).toISOString();
  return html`<time datetime="${exact}" title="${exact}">${says}</time>`;
}

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });

export function date(at: number): string {
  return DATE.format(at);
}

/** A name from elsewhere: in a direction of its own, so that it does not turn its neighbours round. */
export function foreign(text: string): Html {
  return html`<bdi>${text}</bdi>`;
}

export function legend(parts: readonly { readonly name: string; readonly says: Part }[]): Html {
  return html`<ul class="legend">
    ${parts.map(({ name, says }) => html`<li><span class="dot fill-${name}" aria-hidden="true"></span>${says}</li>`)}
  </ul>`;
}

/** The next round figure above: 1, 2 or 5 times a power of ten of KiB, MiB or GiB. */
export function roundTop(most: number, least: number): number {
  const wanted = Math.max(most, least);
  const unit = 1024 ** Math.floor(Math.log(wanted) / Math.log(1024));
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1024];
  return unit * (steps.find((step) => step * unit >= wanted) ?? 1024);
}

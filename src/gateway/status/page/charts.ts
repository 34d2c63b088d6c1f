/** Small plots as SVG, made here so that they are there without scripts. Colours are classes of the stylesheet. */
import { html, type Html } from './html.ts';

export interface Series {
  readonly name: 'cache' | 'peers' | 'mirror';
  readonly values: readonly number[];
}

const WIDTH = 600;
const HEIGHT = 120;

/** One decimal is a tenth of a pixel. */
const round = (value: number) => Math.round(value * 10) / 10;

/**
 * Stacked steps, the first series at the bottom.
 * @param slots how many values fill the width; fewer are drawn at its right end
 * @param top the value at the upper edge, more than 0
 * @param says what a person who does not see it is told
 */
export function stackedSteps(series: readonly Series[], slots: number, top: number, says: string): Html {
  const step = WIDTH / slots;
  const count = series[0]?.values.length ?? 0;
  const base = new Array<number>(count).fill(0);
  const paths = series.map(({ name, values }) => {
    const lower = [...base];
    for (const [index, value] of values.entries()) base[index] = (base[index] ?? 0) + value;
    const x = (index: number) => round(WIDTH - (count - index) * step);
    const y = (value: number) => round(HEIGHT - (Math.min(value, top) / top) * HEIGHT);
    const there = base.map((value, index) => `${index === 0 ? 'M' : 'L'}${x(index)} ${y(value)}H${x(index + 1)}`);
    const back = lower.map((value, index) => `L${x(index + 1)} ${y(value)}H${x(index)}`).toReversed();
    return (
      values.some((value) => value > 0) && html`<path class="fill-${name}" d="${[...there, ...back].join('')}Z" />`
    );
  });
  return plot(paths, says);
}

export interface Bar {
  /** From the bottom up. */
  readonly parts: readonly { readonly name: Series['name']; readonly value: number }[];
  readonly says: string;
}

export function stackedBars(bars: readonly Bar[], top: number, says: string): Html {
  const step = WIDTH / bars.length;
  const drawn = bars.map((bar, index) => {
    let y = HEIGHT;
    const rects = bar.parts.map(({ name, value }) => {
      // What is there at all is seen.
      const height = value > 0 ? Math.max((value / top) * HEIGHT, 1.5) : 0;
      y -= height;
      return (
        height > 0 &&
        html`<rect
          class="fill-${name}"
          x="${round(index * step + step * 0.12)}"
          y="${round(y)}"
          width="${round(step * 0.76)}"
          height="${round(height)}"
        />`
      );
    });
    return html`<g
      ><title>${bar.says}</title
      ><rect class="hover" x="${round(index * step)}" y="0" width="${round(step)}" height="${HEIGHT}" />${rects}</g
    >`;
  });
  return plot(drawn, says);
}

/** One line divided into parts of a whole; what is left stays empty. */
export function line(parts: readonly { readonly name: string; readonly value: number }[], whole: number): Html {
  let x = 0;
  const rects = parts.map(({ name, value }) => {
    const width = whole > 0 ? Math.min((value / whole) * 100, 100 - x) : 0;
    const from = x;
    x += width;
    return width > 0 && html`<rect class="fill-${name}" x="${round(from)}" y="0" width="${round(width)}" height="8" />`;
  });
  return html`<svg class="line" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    ${rects}
  </svg>`;
}

function plot(content: Parameters<typeof html>[1], says: string): Html {
  return html`<svg
    class="plot"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${says}"
  >
    <path class="grid" d="M0 0.5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}" />
    ${content}
  </svg>`;
}

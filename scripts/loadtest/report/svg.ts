/** Plots as SVG made by hand: no script, no library; colours come from the page's style, so light and dark both work. */

export interface Line {
  readonly name: string;
  /** In order of x; null breaks the line. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
  /** Number of its colour. */
  readonly colour: number;
  readonly dashed?: boolean;
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly logY?: boolean;
  /** Marks on the x axis, as [position, text]; even steps unless given. */
  readonly xMarks?: readonly (readonly [number, string])[];
  readonly formatY: (value: number) => string;
}

const [WIDTH, HEIGHT] = [640, 280];
const MARGIN = { left: 84, right: 12, top: 10, bottom: 38 };
/** Lines have at most that many points: more cannot be seen. */
const MAX_POINTS = 600;

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A figure with a caption; nothing at all where there is nothing to draw. */
export function linePlot(lines: readonly Line[], options: PlotOptions): string {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = lines.flatMap(({ points }) =>
    points.flatMap(([, y]) => (y === null || (options.logY && y <= 0) ? [] : [y])),
  );
  if (ys.length === 0) return '';
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const scale = options.logY === true ? logScale(ys) : linearScale(ys);
  const px = (x: number): number =>
    MARGIN.left + ((x - left) / (right - left || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number): number => HEIGHT - MARGIN.bottom - scale.at(y) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const bottom = HEIGHT - MARGIN.bottom;
  const grid = scale.marks.map(
    (mark) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fix(py(mark))}" y2="${fix(py(mark))}"/>` +
      `<text class="mark" x="${MARGIN.left - 6}" y="${fix(py(mark) + 4)}" text-anchor="end">${escapeXml(options.formatY(mark))}</text>`,
  );
  const xMarks = (options.xMarks ?? evenMarks(left, right)).map(
    ([x, text]) =>
      `<line class="tick" x1="${fix(px(x))}" x2="${fix(px(x))}" y1="${bottom}" y2="${bottom + 4}"/>` +
      `<text class="mark" x="${fix(px(x))}" y="${bottom + 17}" text-anchor="middle">${escapeXml(text)}</text>`,
  );
  const paths = lines.map(({ points, colour, dashed, name }) => {
    const shown = thinned(points).map(([x, y]) => [x, options.logY && y !== null && y <= 0 ? null : y] as const);
    const d = pathOf(shown, px, py);
    return `<path class="line c${colour}${dashed === true ? ' dashed' : ''}" d="${d}"><title>${escapeXml(name)}</title></path>`;
  });
  const labels =
    `<text class="label" x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${escapeXml(options.xLabel)}</text>` +
    `<text class="label" transform="rotate(-90)" x="${-(MARGIN.top + bottom) / 2}" y="12" text-anchor="middle">${escapeXml(options.yLabel)}</text>`;
  const axis = `<line class="axis" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${bottom}" y2="${bottom}"/>`;
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(options.title)}">${grid.join('')}${axis}${xMarks.join('')}${paths.join('')}${labels}</svg>`;
  return `<figure><figcaption>${escapeXml(options.title)}</figcaption>${svg}${legend(lines)}</figure>`;
}

export interface Bar {
  readonly name: string;
  readonly value: number | null;
  readonly text: string;
  readonly colour: number;
}

/** Horizontal bars from zero, each with its figure. */
export function barPlot(title: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value ?? 0));
  if (!(most > 0)) return '';
  const [row, nameWidth, textWidth] = [26, 120, 90];
  const height = bars.length * row + 4;
  const rows = bars.map(({ name, value, text, colour }, i) => {
    const width = ((value ?? 0) / most) * (WIDTH / 1.6 - nameWidth - textWidth);
    const y = i * row + 4;
    return (
      `<text class="name" x="${nameWidth - 8}" y="${y + 14}" text-anchor="end">${escapeXml(name)}</text>` +
      `<rect class="bar c${colour}" x="${nameWidth}" y="${y + 2}" width="${fix(Math.max(width, 1))}" height="${row - 9}" rx="2"/>` +
      `<text class="value" x="${fix(nameWidth + width + 6)}" y="${y + 14}">${escapeXml(text)}</text>`
    );
  });
  const svg = `<svg viewBox="0 0 ${WIDTH / 1.6} ${height}" role="img" aria-label="${escapeXml(title)}">${rows.join('')}</svg>`;
  return `<figure class="bars"><figcaption>${escapeXml(title)}</figcaption>${svg}</figure>`;
}

function legend(lines: readonly Line[]): string {
  if (lines.length < 2) return '';
  const items = lines.map(
    ({ name, colour, dashed }) =>
      `<span><svg viewBox="0 0 22 8"><path class="line c${colour}${dashed === true ? ' dashed' : ''}" d="M1 4H21"/></svg>${escapeXml(name)}</span>`,
  );
  return `<div class="legend">${items.join('')}</div>`;
}

interface Scale {
  /** Position between 0, the bottom, and 1. */
  at(value: number): number;
  readonly marks: readonly number[];
}

function linearScale(values: readonly number[]): Scale {
  const most = Math.max(...values, 0) || 1;
  const step = niceStep(most / 5);
  const top = Math.ceil(most / step) * step;
  const marks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  return { at: (value) => value / top, marks };
}

function logScale(values: readonly number[]): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  const marks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { at: (value) => (Math.log10(value) - low) / (high - low), marks };
}

/** 1, 2 or 5 times a power of ten, at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

function evenMarks(left: number, right: number): (readonly [number, string])[] {
  const step = Math.max(1, niceStep((right - left) / 8 || 1));
  const first = Math.ceil(left / step) * step;
  const marks: (readonly [number, string])[] = [];
  for (let x = first; x <= right; x += step) marks.push([x, String(x)]);
  return marks;
}

function thinned<T>(points: readonly T[]): readonly T[] {
  const every = Math.ceil(points.length / MAX_POINTS);
  return every <= 1 ? points : points.filter((_, i) => i % every === 0);
}

function pathOf(points: Line['points'], px: (x: number) => number, py: (y: number) => number): string {
  let path = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (y === null) {
      pen = 'M';
      continue;
    }
    path += `${pen}${fix(px(x))} ${fix(py(y))}`;
    pen = 'L';
  }
  return path;
}

function fix(value: number): string {
  return String(Math.round(value * 10) / 10);
}

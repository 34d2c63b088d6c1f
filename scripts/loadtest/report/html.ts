/** The report: one file that can be sent to somebody, with the table, the plots, and how to repeat it. Pure. */
import type { RunResult, Second } from '../results.ts';
import type { Report } from './report.ts';
import { type Bar, type Line, barPlot, escapeXml, linePlot } from './svg.ts';
import { rowsOf } from './table.ts';
import { bytes, count, milliseconds, seconds } from './units.ts';

/** Percentiles are spread as 1 / (1 - p), so that the slowest hundredth is as wide as the half before it. */
const spread = (percentile: number): number => -Math.log10(1 - Math.min(percentile, 99.9999) / 100);
/** Where the slowest of all is drawn: as one of twice as many would be. */
const slowest = (values: number): number => Math.log10(2 * Math.max(values, 1));
const PERCENTILE_MARKS = [0, 50, 90, 99, 99.9, 99.99] as const;

export function renderHtml(report: Report): string {
  const { results } = report;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(report.title)}</title>
<style>${STYLE}</style>
<main>
<h1>${escapeXml(report.title)}</h1>
<p class="sub">${escapeXml(`${report.date} · ${report.load}`)}</p>
${warnings(results)}
<section class="grid3">${bars(results)}</section>
<section class="grid2">${plots(results)}</section>
<h2>Figures</h2>
<div class="scroll"><table><thead><tr><th></th>${results.map(({ target }) => `<th>${escapeXml(target)}</th>`).join('')}</tr></thead>
<tbody>${rowsOf(results)
    .map(
      ({ name, values }) =>
        `<tr><th>${escapeXml(name)}</th>${values.map((value) => `<td>${escapeXml(value)}</td>`).join('')}</tr>`,
    )
    .join('\n')}</tbody></table></div>
${examples(results)}
<h2>How it was measured</h2>
<dl>
${results.map(({ target, version, about }) => `<dt>${escapeXml(target)}</dt><dd>${escapeXml(`${version}; ${about}`)}</dd>`).join('\n')}
<dt>archive</dt><dd>${escapeXml(report.archive)}</dd>
<dt>machine</dt><dd>${escapeXml(report.machine)}</dd>
<dt>command</dt><dd><code>${escapeXml(report.command)}</code></dd>
</dl>
<p class="note">Clients, mirror and target share the machine. “First byte” counts from the moment at which the answer could
come (the one before it on the connection was through, or the connection was asked for) to the first byte of its body;
“whole file” to its last. Every byte was checked by SHA-256. Clients behave as APT does: one connection, up to ten requests
outstanding, answers in order, so a slow answer delays those behind it and a slow target is asked less often.</p>
</main>
</html>
`;
}

function warnings(results: readonly RunResult[]): string {
  const lines = results.flatMap(({ target, limit, cutShort, harness }) => [
    ...(limit === 'harness' ? [`${target}: the harness was the limit; this is no measurement of the target`] : []),
    ...(cutShort ? [`${target}: stopped when its time was up; clients were still at work`] : []),
    ...(harness.lateMs.p99 > 50
      ? [
          `${target}: the clients were up to ${milliseconds(harness.lateMs.p99)} late themselves (p99), which is in all latencies`,
        ]
      : []),
  ]);
  return lines.length === 0
    ? ''
    : `<ul class="warning">${lines.map((line) => `<li>${escapeXml(line)}</li>`).join('')}</ul>`;
}

function bars(results: readonly RunResult[]): string {
  const plot = (
    title: string,
    of: (result: RunResult) => number | null | undefined,
    text: (value: number) => string,
  ): string =>
    barPlot(
      title,
      results.map((result, colour): Bar => {
        const value = of(result) ?? null;
        return { name: result.target, value, text: value === null ? '-' : text(value), colour };
      }),
    );
  return [
    plot(
      'Bytes a second',
      ({ bytesPerSecond }) => bytesPerSecond,
      (value) => `${bytes(value)}/s`,
    ),
    plot('First byte of packages, p99', ({ latency }) => latency.firstByte?.p99, milliseconds),
    plot('First byte of lists, p99', ({ latency }) => latency.listsFirstByte?.p99, milliseconds),
    plot('Whole file, p99', ({ latency }) => latency.complete?.p99, milliseconds),
    plot(
      'Copies of each package from the mirror',
      ({ mirror }) => mirror.copies,
      (value) => value.toFixed(3),
    ),
    plot('Errors that clients saw', ({ errors }) => sum(errors), count),
    plot('Tried again', ({ retries }) => sum(retries), count),
    plot('Memory at most', ({ cost }) => cost?.peakResident, bytes),
    plot(
      'Processor a GB',
      (result) => (result.cost === null ? null : result.cost.cpuSeconds / (result.verifiedBytes / 1e9 || 1)),
      seconds,
    ),
  ].join('');
}

function plots(results: readonly RunResult[]): string {
  const over = (of: (second: Second) => number | null, suffix = '', dashed = false): Line[] =>
    results.map(({ target, series }, colour) => ({
      name: target + suffix,
      points: series.map((second) => [second.at, of(second)] as const),
      colour,
      dashed,
    }));
  const spreadOut = (of: 'firstByte' | 'complete'): Line[] =>
    results.map(({ target, distribution, latency }, colour) => ({
      name: target,
      points: distribution[of].map(
        ([percentile, ms]) => [percentile === 100 ? slowest(latency[of]?.count ?? 1) : spread(percentile), ms] as const,
      ),
      colour,
    }));
  const widest = Math.max(...results.map(({ latency }) => slowest(latency.firstByte?.count ?? 1)));
  const time = { xLabel: 'seconds' };
  const share = {
    xLabel: 'percentile',
    xMarks: PERCENTILE_MARKS.filter((mark) => spread(mark) <= widest).map(
      (mark) => [spread(mark), String(mark)] as const,
    ),
  };
  return [
    linePlot(
      over(({ bytes }) => bytes),
      { ...time, title: 'Throughput', yLabel: 'a second', formatY: bytes },
    ),
    linePlot(
      over(({ active }) => active),
      { ...time, title: 'Clients at work', yLabel: 'clients', formatY: count },
    ),
    linePlot([...over(({ p50 }) => p50, ', p50'), ...over(({ p99 }) => p99, ', p99', true)], {
      ...time,
      title: 'First byte over time',
      yLabel: 'time',
      logY: true,
      formatY: milliseconds,
    }),
    linePlot(
      over(({ errors, retries }) => errors + retries),
      { ...time, title: 'Errors and tries again', yLabel: 'a second', formatY: count },
    ),
    linePlot(spreadOut('firstByte'), {
      ...share,
      title: 'First byte of packages, distribution',
      yLabel: 'time',
      logY: true,
      formatY: milliseconds,
    }),
    linePlot(spreadOut('complete'), {
      ...share,
      title: 'Whole file, distribution',
      yLabel: 'time',
      logY: true,
      formatY: milliseconds,
    }),
    linePlot(
      over(({ resident }) => resident),
      { ...time, title: 'Memory of the target', yLabel: 'resident', formatY: bytes },
    ),
    linePlot(
      over(({ cpu }) => cpu),
      { ...time, title: 'Processors that the target used', yLabel: 'processors', formatY: (value) => value.toFixed(1) },
    ),
  ].join('');
}

function examples(results: readonly RunResult[]): string {
  const lines = results.flatMap(({ target, examples }) => examples.map((example) => `${target}: ${example}`));
  return lines.length === 0 ? '' : `<h2>Errors, the first of each thread</h2><pre>${escapeXml(lines.join('\n'))}</pre>`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, times) => total + times, 0);
}

/** Colours that differ in lightness too, on both backgrounds (Okabe and Ito's, made lighter for the dark one). */
const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#aa4499', '#8a6d00', '#56707f'];
const DARK = ['#5ab4ee', '#ff9a4d', '#3fcf9f', '#e08ad0', '#e3c54a', '#a9bcc8'];
const colours = (list: readonly string[]): string =>
  list.map((colour, i) => `.c${i}{stroke:${colour}}.bar.c${i}{fill:${colour};stroke:none}`).join('');

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#5b6570;--grid:#e4e7eb;--card:#f7f8fa;--warn:#fff4e0}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:24px;margin:0 0 2px}h2{font-size:18px;margin:32px 0 8px}.sub,.note{color:var(--soft);margin:0 0 16px}.note{margin-top:16px;max-width:80ch}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:14px}
.grid3{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr));gap:14px;margin-bottom:14px}
figure{margin:0;padding:12px 14px;background:var(--card);border-radius:8px}figcaption{font-weight:600;margin-bottom:6px}
figure svg{display:block;width:100%;height:auto}.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;color:var(--soft);margin-top:4px}
.legend span{display:inline-flex;align-items:center;gap:6px}.legend svg{width:22px;height:8px;flex:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:4 4;stroke-width:1.5}
.grid{stroke:var(--grid)}.axis,.tick{stroke:var(--soft)}text{fill:var(--fg);font:12px system-ui,sans-serif}.mark,.label{fill:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:3px 14px 3px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}tbody th{text-align:left;font-weight:400;color:var(--soft)}
.warning{background:var(--warn);padding:10px 14px 10px 32px;border-radius:8px}dt{font-weight:600;float:left;clear:left;min-width:120px}dd{margin:0 0 4px 130px}
code,pre{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
${colours(LIGHT)}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ed;--soft:#9aa5b1;--grid:#2b3138;--card:#1c2026;--warn:#3a2d12}${colours(DARK)}}
`;

import t from 'tap';
import { barPlot, escapeXml, linePlot } from '../../../scripts/loadtest/report/svg.ts';

const OPTIONS = { title: 'a < b', xLabel: 'x', yLabel: 'y', formatY: String };

t.test('lines break where there is nothing, and never leave the plot', (t) => {
  const line = {
    name: 'one',
    colour: 0,
    points: [
      [0, 1],
      [1, null],
      [2, 1000],
      [3, 5],
    ] as const,
  };
  for (const logY of [false, true]) {
    const svg = linePlot([line], { ...OPTIONS, logY });
    const path = /<path class="line c0" d="([^"]+)"/.exec(svg)?.[1] ?? '';
    t.equal(path.match(/M/g)?.length, 2);
    const numbers = path.match(/[\d.]+/g)?.map(Number) ?? [];
    t.equal(numbers.length, 6);
    t.ok(
      numbers.every((number, i) => number >= 0 && number <= (i % 2 === 0 ? 640 : 280)),
      path,
    );
    t.match(svg, 'a &lt; b');
  }
  t.end();
});

t.test('nothing to draw is no plot; many points are thinned', (t) => {
  t.equal(linePlot([{ name: 'x', colour: 0, points: [[0, null]] }], OPTIONS), '');
  t.equal(barPlot('x', [{ name: 'x', value: null, text: '-', colour: 0 }]), '');
  const points = Array.from({ length: 7200 }, (_, i) => [i, i % 50] as const);
  t.ok(linePlot([{ name: 'x', colour: 0, points }], OPTIONS).length < 20_000);
  t.end();
});

t.test('bars are as long as their values', (t) => {
  const bar = (value: number) => ({ name: 'n', value, text: String(value), colour: 0 });
  const widths = [...barPlot('x', [bar(10), bar(5)]).matchAll(/width="([\d.]+)" height/g)].map(([, width]) =>
    Number(width),
  );
  t.ok(Math.abs((widths[0] ?? 0) / (widths[1] ?? 1) - 2) < 0.01);
  t.equal(escapeXml('<a href="x">&'), '&lt;a href=&quot;x&quot;&gt;&amp;');
  t.end();
});

/** What is long without a place to break, and what goes on for long, stays readable: in rows, and read out. */
import { createServer } from 'node:http';

import t from 'tap';

import { History } from '../../../src/gateway/status/history.ts';
import { readAssets } from '../../../src/gateway/status/page/assets.ts';
import { page as render } from '../../../src/gateway/status/page/page.ts';
import { pageOf, skipWithoutChromium, startBrowser } from '../../support/browser.ts';
import { until } from '../../support/process.ts';
import { exampleReport } from './fixtures/example-report.ts';

const USE = { here: '127.0.0.1:9988', others: undefined, unused: false };

function rendered(name: string): string {
  const report = { ...exampleReport(name), version: '1.0' };
  return render(
    { name: name.slice(0, 64), version: '1.0', history: new History(0), now: 1000, report },
    USE,
    readAssets(),
  );
}

t.test('a long name leaves room for what is said of it', { skip: skipWithoutChromium }, async (t) => {
  const browser = await startBrowser();
  t.teardown(() => browser.close());
  for (const width of [1200, 800, 390]) {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    await page.setContent(rendered('x'.repeat(300)));
    const rows = `[...document.querySelectorAll('#errors tbody tr')].map((row) => row.getBoundingClientRect().height)`;
    const heights = await page.evaluate<number[]>(rows);
    t.equal(heights.length, 2);
    t.ok(Math.max(...heights) < 1000, `${width} pixels: rows of ${heights.join(', ')} pixels`);
    const beyond = `[...document.querySelectorAll('html, .scroll')].map((each) => each.scrollWidth - each.clientWidth)`;
    if (width === 390) t.same(await page.evaluate(beyond), [0, 0, 0, 0, 0], 'nothing is cut off on a phone');
    await page.close();
  }
});

t.test('that no daemon answers is read out once, not at every try', { skip: skipWithoutChromium }, async (t) => {
  let tries = 0;
  const server = createServer((req, res) => {
    if (req.url === '/') return void res.end(rendered('example'));
    tries += 1;
    if (tries > 1) return void req.socket.destroy();
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.end('retry: 20\n\ndata: {}\n\n');
  });
  const { page, address } = await pageOf(t, server);
  await page.addInitScript(`readOut = [];
    new MutationObserver((changes) => {
      for (const { target, addedNodes } of changes)
        if (target.parentElement?.closest('[role=status]')) for (const node of addedNodes) readOut.push(node.data);
    }).observe(document, { subtree: true, childList: true });
    addEventListener('DOMContentLoaded', () => (readOut.length = 0));`);
  await page.goto(address);
  await until('it has tried again and again', () => tries > 5);
  const says = 'It does not answer. What follows is how it was.';
  t.equal(await page.getByRole('status').locator('bdi').textContent(), says);
  t.same(await page.evaluate('readOut.filter((text) => text !== "✕")'), [says]);
});

/** What strangers name things stays text: in the document, in what is sent live, and for the policy of the page. */
import { createServer } from 'node:http';

import t from 'tap';

import { History } from '../../../src/gateway/status/history.ts';
import { readAssets } from '../../../src/gateway/status/page/assets.ts';
import { html } from '../../../src/gateway/status/page/html.ts';
import { page as render, picture, type PageFacts } from '../../../src/gateway/status/page/page.ts';
import { complaints, pageOf, skipWithoutChromium } from '../../support/browser.ts';
import { exampleReport } from './fixtures/example-report.ts';

const HOSTILE = `</title></script><script>window.stolen = 1</script><img src=x onerror="window.stolen = 2">'"&lt;\u202e\0`;

t.test('whatever is put into a template is text', async (t) => {
  const { text } = html`<p title="${HOSTILE}">${HOSTILE}</p>`;
  t.notMatch(text, /<(?!\/?p\b)/, 'no element but its own');
  t.equal(text.split('"').length, 3, 'no end of the attribute but its own');
  t.notMatch(text, /[\u202e\0]/, 'nothing that cannot be seen');
  t.equal(html`${[html`<b></b>`, '<b>', 1, undefined, false]}`.text, '<b></b>&lt;b&gt;1');
});

t.test('hostile names in a browser', { skip: skipWithoutChromium }, async (t) => {
  const assets = readAssets();
  const facts: PageFacts = {
    name: HOSTILE,
    version: HOSTILE,
    history: new History(0),
    now: 1000,
    report: exampleReport(HOSTILE),
  };
  const server = createServer((req, res) => {
    if (req.url === '/status.events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const live = picture({ ...facts, report: exampleReport(`live ${HOSTILE}`) }, assets.version);
      res.write(`data: ${JSON.stringify(Object.fromEntries(live))}\n\n`);
      return;
    }
    res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': assets.policy });
    res.end(render(facts, { here: HOSTILE, others: HOSTILE, unused: true }, assets));
  });
  const { page, address } = await pageOf(t, server);
  const wrong = complaints(page);
  await page.goto(address);
  const shown = page.getByText('window.stolen').first();
  await shown.waitFor();
  const places = await page.getByText('<script>window.stolen = 1</script>').count();
  t.ok(places >= 10, `as text in ${places} places`);
  await page.locator('#swarm', { hasText: 'live </title>' }).waitFor();
  t.equal(await page.evaluate('document.scripts.length'), 1, 'no script but its own');
  t.equal(await page.locator('img').count(), 1, 'no picture but its own');
  t.equal(await page.evaluate('window.stolen'), undefined);
  t.same(wrong, []);

  const attempts = {
    'a script of its own': `document.body.append(Object.assign(document.createElement('script'), { text: 'stolen = 3' }))`,
    'text for HTML': `document.body.innerHTML = '<b>'`,
    'another policy for HTML': `trustedTypes.createPolicy('other', {})`,
  };
  for (const [what, attempt] of Object.entries(attempts)) await t.rejects(page.evaluate(attempt), what);
  wrong.length = 0;
  await page.evaluate(`fetch('https://ftp.us.debian.org/').catch(() => undefined)`);
  await page.evaluate(`new Promise((done) => Object.assign(document.body.appendChild(new Image()),
    { src: '/favicon.ico', onerror: done, onload: done }))`);
  t.match(wrong.join(), /connect-src.*img-src|img-src.*connect-src/s, 'nothing is sent elsewhere');
});

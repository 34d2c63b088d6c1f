/** The status page in a real browser, in front of a real daemon, while a real download runs. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';

import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';

import { freeLowPort } from '../../../scripts/support/scope.ts';
import { complaints, skipWithoutChromium, startBrowser } from '../../support/browser.ts';
import { Daemon } from '../../support/daemon.ts';
import { skipWithoutApt, until } from '../../support/process.ts';
import { openSocket, requestText } from '../../support/raw-http.ts';
import { isWhole, Scene } from '../../support/scene.ts';
import { MAX_VIEWERS } from '../../../src/gateway/status/viewers.ts';

t.setTimeout(600_000);

/** With SCREENSHOTS=DIRECTORY the pictures are kept. */
const KEEP = process.env['SCREENSHOTS'];
const MIB = 1024 * 1024;
const QUESTIONS = [
  'Point APT at it',
  'Now',
  'Saved',
  'Torrents and peers',
  'Cache',
  'Mirrors',
  'What went wrong lately',
];
const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1200, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1200, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
} satisfies Record<string, BrowserContextOptions>;

/** Another window, which is sent pictures. */
async function watch(t: Test, daemon: Daemon): Promise<Socket> {
  const socket = openSocket(daemon.target);
  t.teardown(() => socket.destroy());
  socket.write(requestText('GET', '/status.events', daemon.ready.http));
  await once(socket, 'data');
  return socket.resume();
}

/** What axe-core (WCAG 2.2 AA and its best practices) finds wrong. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + ' ' + failureSummary)))`);
}

async function look(browser: Browser, daemon: Daemon, options: BrowserContextOptions = LOOKS.light): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  await page.goto(daemon.url);
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  if (KEEP === undefined) return;
  mkdirSync(KEEP, { recursive: true });
  await page.screenshot({ path: join(KEEP, `${name}.png`), fullPage: true });
}

/** The page is as wide as the window, and nothing hinders anybody. */
async function isFit(t: Test, page: Page, what: string): Promise<void> {
  const wide = await page.evaluate('document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth');
  t.equal(wide, 0, `${what}: nothing is cut off at the side`);
  t.same(await barriers(page), [], `${what}: no barriers`);
}

t.test('the status page', { skip: skipWithoutChromium || skipWithoutApt }, async (t) => {
  const browser = await startBrowser();
  const scene = await Scene.start(t, {
    state: {
      add: [
        { name: 'quick', size: MIB },
        { name: 'firefox-esr', size: 8 * MIB },
        { name: 'libreoffice-core', size: 4 * MIB },
      ],
    },
    // a port that nobody else is given while it is stopped
    daemon: { peers: {}, listen: `127.0.0.1:${await freeLowPort()}` },
  });
  scene.later(() => browser.close());
  const { archive, mirror, daemon } = scene;
  const file = (name: string) => archive.file(name);

  await t.test('before anything was asked for it says that it works, and how to use it', async (t) => {
    for (const [name, options] of Object.entries(LOOKS)) {
      const page = await look(browser, daemon, options);
      const wrong = complaints(page);
      await page.getByText('live', { exact: true }).waitFor();
      t.match(await page.getByRole('status').textContent(), 'It works, and waits for APT.');
      t.same(await page.getByRole('heading', { level: 2 }).allTextContents(), QUESTIONS, 'in the order of questions');
      t.match(
        await page.locator('pre.copy code').allTextContents(),
        [
          'sudo debtorrent setup',
          `echo 'Acquire::http::Proxy "${daemon.url}";' | sudo tee /etc/apt/apt.conf.d/30debtorrent`,
          `deb ${daemon.url}/ftp.us.debian.org/debian trixie main`,
        ],
        'lines with the address of this daemon',
      );
      if (name === 'dark') await isFit(t, page, name);
      await picture(page, `before-${name}`);
      t.same(wrong, []);
      await page.context().close();
    }
  });

  await scene.adopt();
  for (let times = 0; times < 3; times++) await scene.get(file('quick').path);
  // a peer that has one of the large files, and sends it slowly
  const peer = await Daemon.start({
    mirrors: [mirror.host],
    keyring: scene.keys.keyring,
    peers: { fixed: [daemon.ready.peer ?? ''] },
    flags: ['--upload-limit', '1M'],
  });
  scene.later(() => peer.close());
  for (const path of [archive.metaPath('InRelease'), archive.byHashPath('main/binary-amd64/Packages.xz')]) {
    await peer.get(mirror.host, archive.url(path));
  }
  await peer.get(mirror.host, archive.url(file('firefox-esr').path));
  await until('the daemons are linked', async () => {
    const { peers } = await daemon.status();
    return Array.isArray(peers) && peers.length > 0;
  });

  await t.test('a download is seen while it runs', async (t) => {
    const pages = new Map<string, Page>();
    const wrong: string[] = [];
    for (const [name, options] of Object.entries(LOOKS)) {
      const page = await look(browser, daemon, options);
      wrong.push(...complaints(page));
      await page.evaluate('window.loadedOnce = true');
      pages.set(name, page);
    }
    const page = pages.get('light') as Page;
    t.match(await page.locator('#now').textContent(), 'Nothing is being fetched');
    let looked = () => undefined as void;
    const isLooked = new Promise<void>((resolve) => (looked = resolve));
    mirror.rule(/firefox|libreoffice/, { rate: 0.1 * MIB, until: isLooked });
    const answers = [scene.get(file('firefox-esr').path), scene.get(file('firefox-esr').path)];
    answers.push(scene.get(file('libreoffice-core').path));
    const bar = page.getByRole('progressbar', { name: /firefox/ });
    await bar.waitFor();
    const progress = async () => Number(await bar.getAttribute('aria-valuenow'));
    const before = await progress();
    await until('it goes on', async () => (await progress()) > Math.max(before, 20));
    t.match(await page.locator('.transfers').textContent(), /firefox-esr_1\.0-1_amd64\.deb.*2 clients wait/s);
    t.match(await page.locator('#now').textContent(), /From (mirrors|peers)\s+[1-9][\d.]* [KM]?i?B\/s/, 'with rates');
    t.match(await page.locator('#swarm').textContent(), /DebTorrent \d/, 'and the peers');
    for (const [name, each] of pages) await picture(each, `during-${name}`);
    for (const name of ['light', 'phone']) await isFit(t, pages.get(name) as Page, name);
    mirror.clearRules();
    looked();
    t.ok((await Promise.all(answers)).slice(0, 2).every((answer) => isWhole(answer, file('firefox-esr'))));
    await page.getByText('Nothing is being fetched').waitFor();
    t.match(await page.locator('#mirrors').textContent(), /127\.0\.0\.1.*answers/s);
    t.equal(await page.evaluate('window.loadedOnce'), true, 'without loading it anew');
    t.same(wrong, []);
    for (const each of pages.values()) await each.context().close();
  });

  await t.test('what failed is listed with its code', async (t) => {
    const page = await look(browser, daemon);
    const row = page.locator('#errors tbody tr', { hasText: 'HOST_NOT_ALLOWED' });
    await daemon.get('elsewhere.example', '/x');
    await daemon.get('elsewhere.example', '/y');
    await row.filter({ hasText: '2' }).waitFor();
    t.match(await row.textContent(), /just now.*HOST_NOT_ALLOWED.*elsewhere\.example/s);
    await page.context().close();
  });

  await t.test('it can be used with the keyboard alone', async (t) => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    await page.goto(daemon.url);
    const focused = () => page.evaluate('document.activeElement.textContent.trim().slice(0, 40)');
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'To the content');
    await page.keyboard.press('Enter');
    t.equal(await page.evaluate('document.activeElement.id'), 'main', 'past what stands on every page');
    await page.keyboard.press('Shift+Tab');
    t.equal(await focused(), 'Pause');
    await page.keyboard.press('Enter');
    await page.getByText('paused', { exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('live', { exact: true }).waitFor();
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'Point APT at it');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'Copy');
    await page.keyboard.press('Enter');
    await page.getByText('Copied').waitFor();
    t.equal(
      await page.evaluate('navigator.clipboard.readText()'),
      await page.locator('pre.copy code').first().textContent(),
    );
    await context.close();
  });

  await t.test('without scripts all of it is there, as of now', async (t) => {
    const page = await look(browser, daemon, { javaScriptEnabled: false });
    t.same(await page.getByRole('heading', { level: 2 }).allTextContents(), QUESTIONS);
    t.match(await page.getByRole('status').textContent(), 'It works.');
    t.match(await page.locator('#swarm').textContent(), 'DebTorrent');
    t.match(await page.locator('#mirrors').textContent(), '127.0.0.1');
    t.equal(await page.locator('#pace svg, #saved svg.plot').count(), 2, 'with plots');
    t.notOk(await page.getByRole('button', { name: 'Pause' }).isVisible(), 'no button that does nothing');
    t.ok(await page.getByRole('link', { name: 'Load it again' }).isVisible());
    await page.context().close();
  });

  await t.test('whoever wants no motion sees none', async (t) => {
    const page = await look(browser, daemon, { reducedMotion: 'reduce' });
    const moves = `getComputedStyle(document.querySelector('.line rect')).transitionDuration`;
    t.equal(await page.evaluate(moves), '0s');
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    t.not(await page.evaluate(moves), '0s');
    await page.context().close();
  });

  await t.test('when the daemon stops the page says so, and goes on when it is back', async (t) => {
    const page = await look(browser, daemon);
    await page.getByText('live', { exact: true }).waitFor();
    const { http } = daemon.ready;
    t.equal((await daemon.stop()).code, 0);
    await page.getByText('no answer, trying again').waitFor();
    t.match(await page.getByRole('status').textContent(), 'It does not answer. What follows is how it was.');
    await daemon.start(http);
    await page.getByText('live', { exact: true }).waitFor();
    t.match(await page.getByRole('status').textContent(), 'It works');
    t.match(await page.locator('#saved').textContent(), /Since .*: [1-9]\d* requests/, 'sums outlive the process');
    await page.context().close();
  });

  await t.test('a window too many is told so, and takes the next place', async (t) => {
    const others = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => watch(t, daemon)));
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(daemon.url);
    await page.getByText(`not live: ${MAX_VIEWERS} windows watch this page already`).waitFor();
    t.match(await page.getByRole('status').textContent(), 'It works');
    for (const socket of others) socket.destroy();
    await page.clock.fastForward(15_000);
    await page.getByText('live', { exact: true }).waitFor();
    await context.close();
  });

  await t.test('nor is a connection that leads nowhere taken for a daemon that works', async (t) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(daemon.url);
    await page.getByText('live', { exact: true }).waitFor();
    const { pid } = daemon.ready;
    process.kill(pid, 'SIGSTOP');
    try {
      await page.clock.fastForward(60_000);
      await page.getByText('no answer, trying again').waitFor();
      t.match(await page.getByRole('status').textContent(), 'It does not answer');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await page.getByText('live', { exact: true }).waitFor();
    t.match(await page.getByRole('status').textContent(), 'It works');
    await context.close();
  });
});

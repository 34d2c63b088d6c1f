/** A real browser: Debian's Chromium without a window, steered by playwright-core, with a profile of its own. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Test } from 'tap';
import { programPath, skipWithout } from './process.ts';

export const skipWithoutChromium = skipWithout('chromium');

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The caller closes it. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: programPath('chromium') ?? '', args: FLAGS });
}

/** An empty page of a browser for what the server shows, at its address; both end with the test. */
export async function pageOf(t: Test, server: Server): Promise<{ page: Page; address: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await startBrowser();
  t.teardown(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { page: await browser.newPage(), address: `http://127.0.0.1:${port}/` };
}

/** What a page complains of: console messages that are errors or warnings, exceptions, requests that failed. */
export function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) list.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => list.push(`exception: ${error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 400) list.push(`${response.status()} ${response.url()}`);
  });
  return list;
}

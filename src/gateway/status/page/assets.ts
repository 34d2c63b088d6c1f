/**
 * The stylesheet and the script of the page. They are inside of it, so that it is one answer; the policy names both by
 * their hashes, so that nothing else can run or style, not even a file of a mirror that this same address serves.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { installed } from '../../../config/installation.ts';
import { Html } from './html.ts';

export interface Assets {
  readonly style: Html;
  readonly script: Html;
  /** Content-Security-Policy (CSP level 3, with Trusted Types). */
  readonly policy: string;
  /** Changes with what the page is made from. */
  readonly version: string;
}

export function readAssets(): Assets {
  const style = read('status-page.css');
  const script = read('status-page.js');
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(style)}'`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types debtorrent',
  ];
  return {
    // as elements: a blank more or less in one would not be what the hash is of
    style: new Html(`<style>${style}</style>`),
    script: new Html(`<script>${script}</script>`),
    policy: policy.join('; '),
    version: hash(style + script).slice(7, 23),
  };
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function read(name: string): string {
  return readFileSync(installed(`assets/${name}`), 'utf8');
}

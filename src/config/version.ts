import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { Introduction } from '../core/http/via.ts';
import { installed } from './installation.ts';

/** The version of this installation, from its package.json. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(installed('package.json'), 'utf8')) as { version: string };
  return version;
}

/** As the daemon names itself to mirrors, until it is started anew. */
export function introduction(version: string): Introduction {
  return { userAgent: `debtorrent/${version}`, via: `1.1 debtorrent-${randomBytes(6).toString('hex')}` };
}

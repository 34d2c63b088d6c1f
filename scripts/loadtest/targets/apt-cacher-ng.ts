/** apt-cacher-ng with Debian's defaults, in prefix form. */
import { join } from 'node:path';
import { startAptCacherNg } from '../../support/apt-cacher-ng.ts';
import { freeLowPort } from '../../support/scope.ts';
import { routeTo } from '../client/route.ts';
import { missing, packageVersion } from './packaged.ts';
import type { Target } from './target.ts';

export const aptCacherNg: Target = {
  name: 'apt-cacher-ng',
  about: 'Debian’s defaults, prefix form',
  unable: () => missing('apt-cacher-ng'),
  version: (scope) => packageVersion(scope, 'apt-cacher-ng'),
  async start(scope, { directory, mirror, archive }) {
    const port = await freeLowPort();
    const child = await startAptCacherNg(scope, join(directory, 'apt-cacher-ng'), port);
    return {
      routes: [routeTo({ host: '127.0.0.1', port }, 'prefix', mirror, archive.base)],
      pids: () => [child.pid ?? 0],
    };
  },
};

/**
 * The packages that the program needs at run time, from the lock file, as they are installed in this checkout. Optional
 * ones are left out: they are native parts that the program does without, so that one package serves every machine.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NpmPackage {
  /** Relative to the root: `node_modules/name`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** SPDX. */
  readonly license: string;
}

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

export function productionPackages(root: string): NpmPackage[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => {
      return path.startsWith('node_modules/') && !(dev ?? optional ?? devOptional ?? false);
    })
    .map(([path, locked]) => {
      const { version, license } = manifest(root, path);
      if (locked.link !== true && version !== locked.version) {
        throw new Error(`${path} is ${version}, not ${locked.version} as in the lock file: run npm ci`);
      }
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return { path, name, version, license: typeof license === 'string' ? license : (locked.license ?? 'unknown') };
    });
}

function manifest(root: string, path: string): { version: string; license: unknown } {
  return JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as { version: string; license: unknown };
}

/** Real apt-get as clients, each with a root of its own: what users run, at the price of processes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linkMethods } from '../../support/apt-methods.ts';
import { type AptRoot, createAptRoot } from '../../support/apt-root.ts';
import type { Scope } from '../../support/scope.ts';
import type { LoadArchive, PackageFacts } from '../archive/load-archive.ts';
import { type Load, sessionOf, startOf } from '../load/load.ts';
import type { Sampler } from '../load/popularity.ts';
import type { Tally } from '../measure/tally.ts';
import { type Route, sourceOf } from './route.ts';

export interface RealAptOptions {
  readonly load: Load;
  readonly archive: LoadArchive;
  readonly sampler: Sampler;
  readonly routes: readonly Route[];
  readonly directory: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  /** Clients from this number on use our APT method. */
  readonly methodsFrom: number;
}

/** Makes the roots of as many clients as the load has; what it returns runs them, to the end of their last session. */
export async function prepareRealApt(scope: Scope, options: RealAptOptions): Promise<() => Promise<void>> {
  const { load, archive, routes, directory } = options;
  const roots: AptRoot[] = [];
  for (let client = 0; client < load.clients; client++) {
    const route = routes[client % routes.length];
    if (route === undefined) throw new Error('no route');
    const method = client >= options.methodsFrom;
    const { uri, proxy } = sourceOf(route);
    const source = method ? uri.replace(/^http:/, 'debtorrent:') : uri;
    const signed = archive.keyring === undefined ? '' : `[signed-by=${archive.keyring}] `;
    const root = await createAptRoot(scope, {
      directory: join(directory, `apt-${client + 1}`),
      architecture: archive.architecture,
      sources: [`deb ${signed}${source} ${archive.suite} main`],
      proxy,
      retries: 3,
      signal: options.signal,
      ...(method ? { methods: linkMethods(join(directory, 'methods')) } : {}),
    });
    roots.push(root);
  }
  return async () => void (await Promise.all(roots.map((root, client) => useApt(root, client, options))));
}

async function useApt(root: AptRoot, client: number, options: RealAptOptions): Promise<void> {
  const { load, archive, sampler, tally, signal } = options;
  const stopped = { signal, ref: true };
  await sleep(startOf(load, client), undefined, stopped).catch(() => undefined);
  for (let number = 0; number < load.sessions && !signal.aborted; number++) {
    const session = sessionOf(load, sampler, client, number);
    const packages = session.packages.flatMap((index) => archive.packages[index] ?? []);
    tally.active(1);
    await oneSession(root, packages, tally, signal);
    tally.active(-1);
    if (number + 1 < load.sessions) await sleep(session.thinkMs, undefined, stopped).catch(() => undefined);
  }
}

async function oneSession(root: AptRoot, packages: PackageFacts[], tally: Tally, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  try {
    await root.update();
    await root.download(packages, 'settled');
    tally.downloaded(
      packages.length,
      packages.reduce((sum, { size }) => sum + size, 0),
    );
    tally.sessionDone(performance.now() - began);
  } catch (error) {
    if (signal.aborted) return;
    tally.failed('apt-get', String(error).replaceAll(/\s+/g, ' ').slice(0, 500));
    tally.sessionFailed();
  } finally {
    await rm(root.downloads(), { recursive: true, force: true });
  }
}

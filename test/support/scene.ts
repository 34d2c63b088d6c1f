/** What most black-box tests need together: an archive, a mirror that serves it, and the daemon in front. */
import type { Test } from 'tap';
import { Apt } from './apt.ts';
import type { AptOptions, AptResult, Form } from './apt.ts';
import { Archive } from './archive.ts';
import type { ArchiveOptions, PublishOptions } from './archive.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { makeKeys } from './keys.ts';
import type { Keys } from './keys.ts';
import { Mirror } from './mirror.ts';
import type { MirrorOptions } from './mirror.ts';
import { until } from './process.ts';
import { sha256 } from './random.ts';
import type { RawAnswer } from './raw-http.ts';

export interface SceneOptions {
  readonly archive?: Partial<ArchiveOptions>;
  readonly state: PublishOptions;
  readonly mirror?: Partial<MirrorOptions>;
  readonly daemon?: Partial<DaemonOptions>;
}

/** The part of tap's test that a scene needs. */
interface Teardown {
  readonly name: string;
  teardown(fn: () => Promise<void>): void;
}

export class Scene {
  readonly keys: Keys;
  readonly archive: Archive;
  readonly mirror: Mirror;
  readonly daemon: Daemon;
  readonly #apts: Apt[] = [];
  readonly #later: (() => unknown)[] = [];

  private constructor(parts: { keys: Keys; archive: Archive; mirror: Mirror; daemon: Daemon }) {
    this.keys = parts.keys;
    this.archive = parts.archive;
    this.mirror = parts.mirror;
    this.daemon = parts.daemon;
  }

  static async start(t: Teardown, options: SceneOptions): Promise<Scene> {
    const keys = makeKeys();
    const archive = new Archive({ seed: t.name, ...options.archive, keys }).publish(options.state);
    const mirror = await Mirror.start({ ...options.mirror, root: archive.root });
    const early: (() => unknown)[] = [() => mirror.close(), () => archive.close(), () => keys.close()];
    try {
      const { mirrors = [], ...rest } = options.daemon ?? {};
      const daemon = await Daemon.start({ keyring: keys.keyring, ...rest, mirrors: [mirror.host, ...mirrors] });
      const scene = new Scene({ keys, archive, mirror, daemon });
      t.teardown(() => scene.#close());
      return scene;
    } catch (error) {
      for (const step of early) await step();
      throw error;
    }
  }

  /** Done at the end, before the scene's own parts are closed. */
  later(step: () => unknown): void {
    this.#later.push(step);
  }

  /** A client with a root of its own; `archive` when it is not the scene's. */
  apt(form: Form, options: Partial<AptOptions> & { archive?: Archive } = {}): Apt {
    const { archive = this.archive, ...rest } = options;
    const apt = new Apt({
      uri: `${this.mirror.url}${archive.url('').replace(/\/$/, '')}`,
      suite: `${archive.suite} main contrib`,
      keyring: this.keys.keyring,
      daemon: this.daemon.url,
      form,
      ...rest,
    });
    this.#apts.push(apt);
    return apt;
  }

  /** A path of the archive through the daemon, in prefix form. */
  get(path: string, headers: readonly string[] = []): Promise<RawAnswer> {
    return this.daemon.get(this.mirror.host, this.archive.url(path), headers);
  }

  /** Reads the Release and some of its indexes as a client does, and waits until the daemon has their torrents. */
  async adopt(...indexes: readonly string[]): Promise<void> {
    const { archive } = this;
    const names = indexes.length > 0 ? indexes : ['main/binary-amd64/Packages.xz'];
    for (const path of [archive.metaPath('InRelease'), ...names.map((name) => archive.byHashPath(name))]) {
      const answer = await this.get(path);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body.toString()}`);
    }
    await this.untilTorrents(names.length);
  }

  async untilTorrents(count: number): Promise<void> {
    await until(`there are ${count} torrents`, async () => (await this.daemon.status()).torrents.length >= count);
  }

  async #close(): Promise<void> {
    for (const step of this.#later.toReversed()) await step();
    for (const apt of this.#apts) apt.close();
    await this.daemon.close();
    await this.mirror.close();
    this.archive.close();
    this.keys.close();
  }
}

/** True when the answer is the whole of `file` and nothing else. */
export function isWhole(answer: RawAnswer, file: { size: number; sha256: string }): boolean {
  return (
    answer.status === 200 && answer.complete && answer.body.length === file.size && sha256(answer.body) === file.sha256
  );
}

/** The SHA-256 of what APT downloaded, sorted, to compare with `hashesOf`. */
export function downloaded(result: AptResult): string[] {
  return result.files.map((file) => file.sha256).toSorted();
}

export function hashesOf(archive: Archive, ...names: readonly string[]): string[] {
  return names.map((name) => archive.file(name).sha256).toSorted();
}

/** APT gets every package of the archive as it is now, in both forms. */
export async function aptGetsEverything(t: Test, scene: Scene): Promise<void> {
  for (const form of ['prefix', 'proxy'] as const) {
    const apt = scene.apt(form);
    const updated = await apt.update();
    t.equal(updated.code, 0, updated.output);
    const all = scene.archive.packages.map(({ spec }) => spec.name);
    const got = await apt.download(...all);
    t.same(downloaded(got), hashesOf(scene.archive, ...all), `${form}\n${got.output.slice(-2000)}`);
  }
}

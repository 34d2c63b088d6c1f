/** Bytes of mirrors that passed by the store, by host: neither the transfers nor the HTTP backup see them. */
import type { MirrorStats } from '../actors/http-backup/http-backup.ts';
import { rowFor } from '../actors/http-backup/mirror-rows.ts';

const NO_FIGURES = { errors: 0, failing: false, last_error: null };

export class PassedBytes {
  readonly #hosts = new Map<string, number>();
  total = 0;

  add(host: string, bytes: number): void {
    const name = rowFor(this.#hosts, host);
    this.#hosts.set(name, (this.#hosts.get(name) ?? 0) + bytes);
    this.total += bytes;
  }

  /** The figures of mirrors with these bytes. */
  with(mirrors: readonly MirrorStats[]): readonly MirrorStats[] {
    const rest = new Map(this.#hosts);
    const known = mirrors.map((mirror) => {
      const passed = rest.get(mirror.host) ?? 0;
      rest.delete(mirror.host);
      return { ...mirror, bytes: mirror.bytes + passed };
    });
    return [...known, ...[...rest].map(([host, bytes]) => ({ host, bytes, ...NO_FIGURES }))];
  }
}

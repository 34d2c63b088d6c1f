/** wrk: requests a second and bytes a second over kept-alive connections. */
import { type Scope, run } from '../support/scope.ts';

export interface Load {
  readonly requestsPerSecond: number;
  /** 10^6 bytes a second. */
  readonly megabytesPerSecond: number;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Throws if any answer was not a success or a connection failed: errors are faster than files. */
export async function wrk(scope: Scope, url: string, seconds: number, connections = 16): Promise<Load> {
  const { stdout } = await run(scope, 'wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', url]);
  const faults = /Non-2xx.*|Socket errors:.*/.exec(stdout)?.[0];
  if (faults !== undefined && !/connect 0, read 0, write 0, timeout 0/.test(faults))
    throw new Error(`${url}: ${faults}`);
  const requests = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  const transfer = /Transfer\/sec:\s+([\d.]+)([KMG]?B)/.exec(stdout);
  if (requests === undefined || transfer === null) throw new Error(`wrk said: ${stdout.slice(0, 500)}`);
  const [, amount = '0', unit = 'B'] = transfer;
  return { requestsPerSecond: Number(requests), megabytesPerSecond: (Number(amount) * (UNITS[unit] ?? 1)) / 1e6 };
}

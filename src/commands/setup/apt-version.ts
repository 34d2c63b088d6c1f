/** Which APT is below a root, for what depends on that. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Since then no queue of APT's stops for ever (LP: #2003851): before, what was asked for while another file was put off
 * for a retry stood in front of that one, and was never begun.
 */
const QUEUES_GO_ON = '3.0.3';
const TIMEOUT_MS = 10_000;

/**
 * Whether APT there may wait for ever after a failure, unless it tries again without a delay. Sources with the daemon in
 * front are all in one queue, so one mirror that is down is enough.
 *
 * @returns false, too, where dpkg knows of no APT.
 */
export function retriesCanHang(root: string, env: NodeJS.ProcessEnv): boolean {
  const say = (program: string, args: readonly string[]) =>
    spawnSync(program, args, { encoding: 'utf8', env, timeout: TIMEOUT_MS });
  const admin = `--admindir=${join(root, 'var/lib/dpkg')}`;
  const { status, stdout } = say('dpkg-query', [admin, '--show', '--showformat', '${Version}', 'apt']);
  return status === 0 && say('dpkg', ['--compare-versions', stdout, 'lt', QUEUES_GO_ON]).status === 0;
}

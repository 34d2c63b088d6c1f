/** Starts the method as APT would, before sources name it: a machine whose apt-get update fails is worse than none set up. */
import { spawnSync } from 'node:child_process';
import { AptMessageReader, field } from '../../core/method/apt-message.ts';

const TIMEOUT_MS = 20_000;

/**
 * On this machine, with APT's own configuration of whose rights the method has.
 * @param method the program that APT would start.
 * @returns why the method cannot work, or undefined.
 */
export function methodFailure(method: string, env: NodeJS.ProcessEnv): string | undefined {
  const options = { encoding: 'utf8', timeout: TIMEOUT_MS } as const;
  const asked = ['APT::Sandbox::User', 'Debug::NoDropPrivs'];
  const dump = spawnSync('apt-config', ['dump', '--format', '%f=%V%n', ...asked], { ...options, env });
  const items = (dump.stdout ?? '').split('\n').filter((line) => asked.some((name) => line.startsWith(`${name}=`)));
  const configuration = ['601 Configuration', ...items.map((item) => `Config-Item: ${item}`)].join('\n');
  const { status, stdout, stderr, error } = spawnSync(method, {
    ...options,
    env,
    input: `${configuration}\n\n`,
  });
  if (error) return error.message;
  const failed = new AptMessageReader().push(stdout).find(({ code }) => code === 401);
  if (failed) return field(failed, 'message') ?? 'General Failure';
  if (status === 0) return undefined;
  return lastWord(stderr) || `it ended with ${status ?? 'a signal'}`;
}

/** Node ends with its own version below the error that it could not go on with. */
function lastWord(stderr: string): string | undefined {
  const lines = stderr.trim().split('\n');
  return lines.findLast((line) => /^(?:Uncaught )?\w*Error\b.*: /.test(line)) ?? lines.at(-1);
}

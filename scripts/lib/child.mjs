/** Child processes of the launchers: what they print goes to standard error, and they end when the launcher does. */
import { spawn } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program with both of its outputs on standard error.
 * @param {string[]} command
 * @param {{ cwd: string, onStart?: (pid: number) => void }} options
 * @returns {Promise<void>}
 * @throws Error when it fails; a signal to this process ends the child and then this process
 */
export async function run([program, ...args], { cwd, onStart }) {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 2, 2] });
  let signalled;
  const pass = (signal) => {
    signalled = signal;
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  const killChild = () => child.kill('SIGKILL');
  process.once('exit', killChild);
  try {
    const [code, signal] = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => onStart?.(child.pid));
      child.once('exit', (...result) => resolve(result));
    });
    if (signalled) process.exit(signalled === 'SIGINT' ? 130 : 143);
    if (code !== 0) throw new Error(`${[program, ...args].join(' ')} failed (${signal ?? `exit code ${code}`})`);
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, pass);
    process.removeListener('exit', killChild);
  }
}

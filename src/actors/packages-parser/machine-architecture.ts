/** What dpkg calls the architecture of this machine. */
import { runProgram } from './run-program.ts';

const NODE_NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ia32: 'i386',
  arm: 'armhf',
  ppc64: 'ppc64el',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
  mipsel: 'mips64el',
};

export async function machineArchitecture(): Promise<string> {
  const options = { deadlineMs: 5_000, maxBytes: 1024 };
  const result = await runProgram('dpkg', ['--print-architecture'], options).catch(() => undefined);
  const said = result?.code === 0 ? result.stdout.toString().trim() : '';
  return /^[a-z0-9-]{1,40}$/.test(said) ? said : (NODE_NAMES[process.arch] ?? process.arch);
}

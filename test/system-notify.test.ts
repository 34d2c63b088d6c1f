/** What systemd hears: a real datagram socket stands for it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../src/core/clock.ts';
import { systemNotify } from '../src/system-notify.ts';
import { Recorder } from './kernel/fixtures/recorder.ts';
import { Daemon } from './support/daemon.ts';
import { makeKeys } from './support/keys.ts';
import { skipWithout, until } from './support/process.ts';

const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    for line in s.recv(65536).decode().split('\\n'):
        if line: print(line, flush=True)
`;
t.setTimeout(600_000);

const skip = skipWithout('python3', 'systemd-notify');

/** Messages but for the barriers that systemd-notify ends with, and what they were sent to. */
async function systemd(t: Test): Promise<{ socket: string; heard: string[]; env: NodeJS.ProcessEnv }> {
  // A socket's path has at most 108 bytes.
  const dir = mkdtempSync(join(tmpdir(), 'dt-notify-'));
  const socket = join(dir, 'notify');
  const python = spawn('python3', ['-c', LISTEN, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(python, 'exit');
  t.teardown(async () => {
    python.kill('SIGKILL');
    await exited;
    rmSync(dir, { recursive: true, force: true });
  });
  const heard: string[] = [];
  let rest = '';
  python.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    heard.push(...lines.filter((line) => line !== 'BARRIER=1'));
  });
  await until('the socket is there', () => heard.shift() === 'bound');
  return { socket, heard, env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket } };
}

t.test('ready, the watchdog while all answers, and stopping', { skip }, async (t) => {
  const { heard, env } = await systemd(t);
  let answers = true;
  const system = systemNotify({
    env: { ...env, WATCHDOG_USEC: '150000', WATCHDOG_PID: String(process.pid) },
    pid: process.pid,
    answers: () => (answers ? Promise.resolve() : Promise.reject(new Error('silent'))),
    clock: systemClock,
    log: new Recorder(),
  });
  system.ready();
  await until('it is ready', () => heard.includes('READY=1'));
  t.ok(heard.includes(`MAINPID=${process.pid}`));
  const beats = (): number => heard.filter((line) => line === 'WATCHDOG=1').length;
  await until('the watchdog hears of it again and again', () => beats() >= 3);
  answers = false;
  await until('nothing more is on its way', async () => {
    const before = beats();
    await new Promise((resolve) => setTimeout(resolve, 400));
    return beats() === before;
  });
  answers = true;
  const before = beats();
  await until('it is heard again', () => beats() > before);
  system.stopping();
  await system.close();
  await until('it says that it stops', () => heard.at(-1) === 'STOPPING=1');
  t.pass();
});

t.test('a watchdog of another process is not fed', { skip }, async (t) => {
  const { heard, env } = await systemd(t);
  let asked = 0;
  const answers = () => Promise.resolve(asked++);
  for (const watchdog of [{ WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' }, { WATCHDOG_USEC: 'x' }, {}]) {
    const deps = { pid: process.pid, answers, clock: systemClock, log: new Recorder() };
    const system = systemNotify({ ...deps, env: { ...env, ...watchdog } });
    system.ready();
    await until('it is ready', () => heard.includes('READY=1'));
    heard.length = 0;
    await system.close();
  }
  t.equal(asked, 0);
});

t.test('without systemd, and without its program, nothing happens', async (t) => {
  const log = new Recorder();
  const deps = { pid: process.pid, answers: () => Promise.resolve(), clock: systemClock, log };
  for (const env of [{}, { NOTIFY_SOCKET: '/nonexistent', PATH: '/nonexistent', WATCHDOG_USEC: '100000' }]) {
    const system = systemNotify({ ...deps, env });
    system.ready();
    system.stopping();
    await system.close();
  }
  t.equal(log.entries.length, 1, 'one warning');
});

t.test(
  'the daemon tells systemd when it is ready and when it stops',
  { skip: skip || skipWithout('gpg') },
  async (t) => {
    const { socket, heard } = await systemd(t);
    const keys = makeKeys();
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' };
    const daemon = await Daemon.start({ mirrors: [], keyring: keys.keyring, env });
    t.teardown(async () => {
      await daemon.close();
      keys.close();
    });
    await until('it is ready', () => heard.includes('READY=1'));
    t.ok(heard.includes(`MAINPID=${daemon.ready.pid}`));
    await until('the watchdog is fed', () => heard.includes('WATCHDOG=1'));
    t.equal((await daemon.stop()).code, 0);
    await until('it says that it stops', () => heard.at(-1) === 'STOPPING=1');
  },
);

/**
 * Machines that are network namespaces, and a bridge between them that is in a namespace too: nothing of it appears in
 * the network of the machine that this runs on, and what is deleted in the end is what was made here.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Scope, run } from '../../support/scope.ts';

/** Bits a second of each machine's cable, in both directions. */
const CABLE = '1gbit';
/** The address of machine N is this and N; documentation addresses (RFC 5737), which no real network has. */
const SUBNET = '192.0.2.';
const OURS = /^dtcrowd-(\d+)-/;

export interface Host {
  readonly namespace: string;
  readonly address: string;
  /** A command that runs the command after it on this host. */
  readonly through: readonly string[];
}

export interface Network {
  readonly mirror: Host;
  readonly machines: readonly Host[];
  /** Limits what the mirror sends, in tc's notation (`100mbit`), or takes the limit away. */
  limitMirror(rate: string | undefined): Promise<void>;
  /** Ends every process on these hosts at once, without giving it a chance to say goodbye. */
  kill(hosts: readonly Host[]): Promise<void>;
}

/** Goes away with the scope, and with it everything that runs in it. */
export async function createNetwork(scope: Scope, count: number): Promise<Network> {
  await removeLeftovers();
  const prefix = `dtcrowd-${process.pid}`;
  const ip = (...args: string[]) => run(scope, 'ip', args);
  const add = async (name: string): Promise<string> => {
    const namespace = `${prefix}-${name}`;
    scope.defer(() => removeNamespace(namespace));
    await ip('netns', 'add', namespace);
    return namespace;
  };
  const bridge = await add('bridge');
  await ip(
    '-n',
    bridge,
    'link',
    'add',
    'br0',
    'type',
    'bridge',
    'forward_delay',
    '0',
    'stp_state',
    '0',
    'mcast_snooping',
    '0',
  );
  await ip('-n', bridge, 'link', 'set', 'br0', 'up');
  const connect = async (name: string, number: number): Promise<Host> => {
    const namespace = await add(name);
    const address = `${SUBNET}${number}`;
    const port = `port${number}`;
    await ip('link', 'add', 'eth0', 'netns', namespace, 'type', 'veth', 'peer', 'name', port, 'netns', bridge);
    await ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    // Leads nowhere, but a machine without a default route is none that updates.
    await ip('-n', namespace, 'route', 'add', 'default', 'via', `${SUBNET}254`);
    await shape(scope, bridge, port, CABLE);
    await shape(scope, namespace, 'eth0', CABLE);
    return { namespace, address, through: ['ip', 'netns', 'exec', namespace] };
  };
  const mirror = await connect('mirror', 1);
  const machines: Host[] = [];
  for (let i = 0; i < count; i++) machines.push(await connect(`machine${i + 1}`, 11 + i));
  return {
    mirror,
    machines,
    limitMirror: (rate) => shape(scope, mirror.namespace, 'eth0', rate ?? CABLE),
    kill: async (hosts) => void (await Promise.all(hosts.map(({ namespace }) => killAll(namespace)))),
  };
}

/** A token bucket on what the device sends: bursts of a few milliseconds, a queue of 50 ms as in a good router. */
async function shape(scope: Scope, namespace: string, device: string, rate: string): Promise<void> {
  const burst = rate === CABLE ? '512kb' : '128kb';
  const bucket = ['tbf', 'rate', rate, 'burst', burst, 'latency', '50ms'];
  await run(scope, 'tc', ['-n', namespace, 'qdisc', 'replace', 'dev', device, 'root', ...bucket]);
}

/** For cleaning up, when no scope takes anything new. */
async function quietly(command: string, args: readonly string[]): Promise<string> {
  return promisify(execFile)(command, [...args]).then(
    ({ stdout }) => stdout,
    () => '',
  );
}

async function killAll(namespace: string): Promise<void> {
  const pids = await quietly('ip', ['netns', 'pids', namespace]);
  for (const pid of pids.split('\n').map(Number)) {
    if (pid <= 1 || pid === process.pid) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
  }
}

async function removeNamespace(namespace: string): Promise<void> {
  await killAll(namespace);
  await quietly('ip', ['netns', 'delete', namespace]);
}

/** Namespaces of an earlier run that was killed before it could clean up. */
async function removeLeftovers(): Promise<void> {
  for (const line of (await quietly('ip', ['netns', 'list'])).split('\n')) {
    const name = line.split(' ')[0] ?? '';
    const owner = OURS.exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) await removeNamespace(name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

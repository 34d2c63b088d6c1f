/** What APT's configuration says of proxies beside what setup installs. Notes for people. */
import { askApt } from './apt-paths.ts';
import { HELPER } from './installed-files.ts';

const DETECT = 'Acquire::http::Proxy-Auto-Detect';
/** APT reads this spelling, too, where the other one is not set. */
const OLD_DETECT = 'Acquire::http::ProxyAutoDetect';
const PROXY = 'Acquire::http::Proxy';

/** Once the configuration is written: files that APT reads later may say otherwise, as auto-apt-proxy's does. */
export function helperNotes(root: string, env: NodeJS.ProcessEnv): string[] {
  const answers = askApt(root, env, [
    ['detect', DETECT],
    ['old', OLD_DETECT],
  ]);
  const inForce = answers?.get('detect') || answers?.get('old');
  if (!answers || inForce === HELPER) return [];
  const says = inForce ? `${DETECT} is '${inForce}'` : `${DETECT} is not set`;
  return [`this has no effect: ${says}, by configuration that APT reads later; remove that and run setup again`];
}

/** @param daemon the spellings of it, `HOST:PORT` */
export function proxyNotes(root: string, env: NodeJS.ProcessEnv, daemon: ReadonlySet<string>): string[] {
  const proxy = askApt(root, env, [['proxy', PROXY]])?.get('proxy') ?? '';
  const authority = /^https?:\/\/(?:[^/@]*@)?([^/]+)/i.exec(proxy)?.[1]?.toLowerCase();
  if (authority === undefined) return [];
  // its value may have a password in it
  return daemon.has(authority)
    ? [`${PROXY} names the daemon: APT fails while that is not running; remove it, setup does without`]
    : [`${PROXY} is set, but the daemon asks mirrors directly: it cannot where only that proxy leads out`];
}

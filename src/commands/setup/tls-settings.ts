/**
 * What APT's configuration says of certificates and keys for https (apt-transport-https(1)). The daemon goes by the
 * certificates of the system, so what is fetched by other rules is for APT itself to fetch.
 */
import { dumpApt } from './apt-paths.ts';
import { SYSTEM_CA } from '../../actors/http-backup/system-certificates.ts';

const HTTPS = 'acquire::https';
/** What they say when they say nothing that the daemon does not do, too. */
const USUAL: ReadonlyMap<string, RegExp> = new Map([
  ['cainfo', new RegExp(`^(?:${SYSTEM_CA.replaceAll('.', String.raw`\.`)})?$`)],
  ['sslcert', /^$/],
  ['sslkey', /^$/],
  ['crlfile', /^$/],
  ['verify-peer', /^(?:|[1-9]\d*|yes|true|with|on|enable)$/i],
  ['verify-host', /^(?:|[1-9]\d*|yes|true|with|on|enable)$/i],
]);

interface Setting {
  readonly option: string;
  readonly value: string;
}

/** Which option decides how APT fetches from a host by https; undefined when the daemon does it in the same way. */
export function tlsSettings(root: string, env: NodeJS.ProcessEnv): (host: string) => string | undefined {
  const settings = new Map<string, Setting>();
  for (const [option, value] of dumpApt(root, env, 'Acquire::https') ?? []) {
    settings.set(option.toLowerCase(), { option, value });
  }
  return (host) => {
    for (const [name, usual] of USUAL) {
      // as APT does: what is said of the host comes first
      const own = settings.get(`${HTTPS}::${host}::${name}`);
      const setting = own ?? settings.get(`${HTTPS}::${name}`);
      if (setting !== undefined && !usual.test(setting.value)) return setting.option;
    }
    return undefined;
  };
}

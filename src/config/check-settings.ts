/** What is wrong with settings that are each well-formed: files that are not there, some that others undo, and none at all. */
import type { Logger } from '../core/logging.ts';
import { requireKeyrings } from './keyring-files.ts';
import type { Config } from './schema.ts';
import { strangeVariables } from './strange-variables.ts';

/**
 * Warns of settings without effect, which somebody meant to have one.
 * @throws DebtorrentError CONFIG_INVALID for keyrings that are not there.
 */
export function checkSettings(config: Config, log: Logger, env: Parameters<typeof strangeVariables>[0]): void {
  requireKeyrings(config);
  for (const [setting, why] of withoutEffect(config)) log.warn({ setting }, `${setting} has no effect: ${why}`);
  for (const [variable, meant] of strangeVariables(env)) {
    const instead = meant === undefined ? '' : `; ${meant} is one`;
    log.warn({ variable }, `${variable} has no effect: it is no setting${instead}`);
  }
}

function withoutEffect(config: Config): [setting: string, why: string][] {
  const { peer, tracker, dht, dhtBootstrap, swarmKey, uploadLimit } = config;
  const found: [string, string][] = [];
  if (config.peerListen === 'off') {
    const given = {
      peer: peer.length > 0,
      tracker: tracker.length > 0,
      dht,
      'swarm-key': swarmKey !== undefined,
      'upload-limit': uploadLimit > 0,
    };
    for (const [setting, isGiven] of Object.entries(given)) {
      if (isGiven) found.push([setting, 'peers are off (peer-listen)']);
    }
  } else if (dht && swarmKey !== undefined) found.push(['dht', 'a private swarm (swarm-key) is not looked for there']);
  if (!dht && dhtBootstrap.length > 0) found.push(['dht-bootstrap', 'the DHT is off (dht)']);
  return found;
}

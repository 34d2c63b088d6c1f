import t from 'tap';

import { checkSettings } from '../../src/config/check-settings.ts';
import { loadConfig, withCache } from '../../src/config/load.ts';
import type { SettingName } from '../../src/config/schema.ts';

function warnings(given: Partial<Record<SettingName, string>>, env: Record<string, string> = {}): string[] {
  const flags = new Map(Object.entries(given).map(([name, value]) => [name as SettingName, [value]]));
  const config = withCache(loadConfig({ flags, env: { HOME: '/' }, cwd: '/', defaultFile: '/nonexistent' }));
  const found: string[] = [];
  const none = () => undefined;
  checkSettings(config, { debug: none, info: none, error: none, warn: (_, message) => found.push(message) }, env);
  return found;
}

t.test('settings that others undo are warned of, and no others', async (t) => {
  t.same(warnings({}), []);
  t.same(warnings({ 'peer-listen': 'off', lan: 'on' }), [], 'lan is on by default');
  t.same(warnings({ dht: 'on' }), [], 'the first node of a DHT knows no other');
  t.same(warnings({ dht: 'on', 'dht-bootstrap': 'a:1', peer: 'a:1', tracker: 'http://a', 'upload-limit': '1' }), []);
  t.same(warnings({ 'swarm-key': '/key', tracker: 'http://a' }), []);
  t.same(warnings({ dht: 'on', 'swarm-key': '/key' }), [
    'dht has no effect: a private swarm (swarm-key) is not looked for there',
  ]);
  t.same(warnings({ 'dht-bootstrap': 'a:1' }), ['dht-bootstrap has no effect: the DHT is off (dht)']);
  const all = { peer: 'a:1', tracker: 'http://a', dht: 'on', 'swarm-key': '/key', 'upload-limit': '1' } as const;
  t.same(
    warnings({ ...all, 'peer-listen': 'off' }),
    Object.keys(all).map((name) => `${name} has no effect: peers are off (peer-listen)`),
  );
});

t.test('variables that look like settings and are none are warned of, with the one that was meant', async (t) => {
  t.same(warnings({}, { DEBTORRENT_LISTEN: '127.0.0.1:1', DEBTORRENT_CONFIG: '/x', CACHE_DIR: '/x' }), []);
  const mistaken = { DEBTORRENT_CACHEDIR: '/x', DEBTORRENT_TRACKERS: 'http://a', DEBTORRENT_PORT: '1' };
  t.same(warnings({}, { ...mistaken, DEBTORRENT_EMPTY: ' ' }), [
    'DEBTORRENT_CACHEDIR has no effect: it is no setting; DEBTORRENT_CACHE_DIR is one',
    'DEBTORRENT_TRACKERS has no effect: it is no setting; DEBTORRENT_TRACKER is one',
    'DEBTORRENT_PORT has no effect: it is no setting',
  ]);
  const launcher = { DEBTORRENT_NODE: 'node', DEBTORRENT_ROOT: '/', DEBTORRENT_METHOD_READ: '601' };
  t.same(warnings({}, { ...launcher, DEBTORRENT_PROXY: 'a:1', DEBTORRENT_NOT_FOR: 'b' }), []);
  const pod = {
    DEBTORRENT_SERVICE_HOST: '10.0.0.1',
    DEBTORRENT_SERVICE_PORT: '9988',
    DEBTORRENT_SERVICE_PORT_HTTP: '9988',
    DEBTORRENT_PORT: 'tcp://10.0.0.1:9988',
    DEBTORRENT_PORT_9988_TCP: 'tcp://10.0.0.1:9988',
    DEBTORRENT_PORT_9988_TCP_ADDR: '10.0.0.1',
    DEBTORRENT_PEERS_SERVICE_PORT: '9989',
  };
  t.same(warnings({}, pod), [], 'what a cluster gives all of its containers is not meant for the daemon');
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`DEBTORRENT_X${n}`, 'x']));
  t.equal(warnings({}, many).length, 10);
});

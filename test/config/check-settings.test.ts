import t from 'tap';

import { checkSettings } from '../../src/config/check-settings.ts';
import { loadConfig, withCache } from '../../src/config/load.ts';
import type { SettingName } from '../../src/config/schema.ts';

function warnings(given: Partial<Record<SettingName, string>>): string[] {
  const flags = new Map(Object.entries(given).map(([name, value]) => [name as SettingName, [value]]));
  const config = withCache(loadConfig({ flags, env: { HOME: '/' }, cwd: '/', defaultFile: '/nonexistent' }));
  const found: string[] = [];
  const none = () => undefined;
  checkSettings(config, { debug: none, info: none, error: none, warn: (_, message) => found.push(message) });
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

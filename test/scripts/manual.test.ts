/** What the manual says of settings is what the program goes by. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { manPages } from '../../scripts/manual/man-pages.ts';
import { configurationPage, exampleToml } from '../../scripts/manual/toml.ts';
import { loadConfig } from '../../src/config/load.ts';
import { SETTING_NAMES } from '../../src/config/schema.ts';
import { createMetrics } from '../../src/gateway/metrics.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

t.test('docs/CONFIGURATION.md is current', async (t) => {
  // prettier may break lines anew
  const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
  t.same(
    words(readFileSync(join(ROOT, 'docs/CONFIGURATION.md'), 'utf8')),
    words(configurationPage()),
    'else: npm run manual',
  );
});

t.test('each setting is in the configuration file and in both manual pages', async (t) => {
  const pages = manPages('1', '2026-01-01');
  const text = (name: string) => pages.find((page) => page.name === name)?.text ?? '';
  for (const name of SETTING_NAMES.filter((each) => each !== 'config')) {
    t.match(exampleToml(), new RegExp(`^#${name} = `, 'm'));
    const roff = name.replaceAll('-', '\\-');
    t.ok(text('debtorrent').includes(`\\fB\\-\\-${roff} `), name);
    t.ok(text('debtorrent.toml').includes(`\\fB${roff}\\fR`), name);
  }
});

t.test('the configuration file is right as it comes, and with every example in it taken', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'dt-manual-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'debtorrent.toml');
  const load = (toml: string) => {
    writeFileSync(file, toml);
    return loadConfig({ flags: new Map(), env: { HOME: '/root' }, cwd: '/', defaultFile: file });
  };
  t.same(load(exampleToml()), load(''));
  t.match(load(exampleToml().replaceAll(/^#(?=[a-z-]+ = )/gm, '')), {
    cacheDir: '/var/cache/debtorrent',
    logFormat: 'json',
  });
});

t.test('alerts and dashboard ask for figures that there are', async (t) => {
  const metrics = createMetrics();
  t.teardown(() => metrics.close());
  metrics.request(200, 'cache', 1, 1);
  const swarm = { downBytes: 0, upBytes: 0, bans: 0 };
  const figures = { transfers: 0, hashFailures: 0, cacheBytes: 0, cacheFiles: 0, torrents: [], mirrors: [] };
  const known = await metrics.render({ ...figures, peers: swarm });
  const directory = join(ROOT, 'packaging/examples');
  let asked = 0;
  for (const name of readdirSync(directory)) {
    const text = readFileSync(join(directory, name), 'utf8');
    if (name.endsWith('.json')) t.ok(JSON.parse(text));
    for (const [metric] of text.matchAll(/\b(?:debtorrent|process)_[a-z_]+\b/g)) {
      asked += 1;
      t.ok(new RegExp(`^# TYPE ${metric.replace(/_bucket$/, '')} `, 'm').test(known), `${metric} in ${name}`);
    }
  }
  t.ok(asked > 10);
});

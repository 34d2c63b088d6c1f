/** dist/program/, which bin/ runs: what each entry loads, and that what is found by import.meta.url is found from it. */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAM = join(ROOT, 'dist/program');

/** What a file of the program loads at its start: files of the program, npm's packages in them, and those outside. */
function loaded(entry: string): { files: string[]; packages: string[]; outside: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const outside = new Set<string>();
  const follow = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(join(PROGRAM, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^;'"]*?["']([^"']+)["'];/gm)) {
      if (name.startsWith('.')) follow(join(dirname(file), name));
      else if (!isBuiltin(name)) outside.add(name);
    }
    // esbuild says before each module where it comes from
    for (const [, name = ''] of text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)) packages.add(name);
  };
  follow(entry);
  return { files: [...files], packages: [...packages].toSorted(), outside: [...outside].toSorted() };
}

t.test('each thread and the method are one file, and the main thread a few', async (t) => {
  const workers = readdirSync(join(PROGRAM, 'workers')).filter((name) => name.endsWith('.js'));
  t.same(
    workers.toSorted(),
    ['fetch', 'hash', 'parser', 'swarm'].map((name) => `${name}.worker.js`),
  );
  for (const entry of ['method/main.js', ...workers.map((name) => `workers/${name}`)]) {
    t.same(loaded(entry).files, [entry]);
  }
  const serve = readdirSync(join(PROGRAM, 'main')).find((name) => /^serve-.*\.js$/.test(name)) ?? '';
  t.ok(loaded(`main/${serve}`).files.length < 15);
});

t.test('what is loaded when it is needed stays apart', async (t) => {
  const serve = readdirSync(join(PROGRAM, 'main')).find((name) => /^serve-.*\.js$/.test(name)) ?? '';
  t.ok(loaded('workers/fetch.worker.js').packages.includes('undici'), 'this test sees packages');
  t.notOk(loaded(`main/${serve}`).packages.includes('undici'), 'no HTTP client in the main thread');
  const swarm = readFileSync(join(PROGRAM, 'workers/swarm.worker.js'), 'utf8');
  t.match(
    swarm,
    /__esm\(\{\n *"node_modules\/bittorrent-dht\/index\.js"/,
    'the DHT runs nothing before it is imported',
  );
  t.notOk(loaded('main/main.js').packages.includes('prom-client'), 'nothing of the daemon for a command');
  t.same(loaded('method/main.js').packages, [], 'no packages in the method');
});

t.test('what stays outside is what the Debian package brings along', async (t) => {
  const unbundled = JSON.parse(readFileSync(join(ROOT, 'scripts/lib/unbundled.json'), 'utf8')) as string[];
  const program = readdirSync(PROGRAM, { recursive: true, encoding: 'utf8' });
  const outside = program.filter((name) => name.endsWith('.js')).flatMap((name) => loaded(name).outside);
  t.same([...new Set(outside)].toSorted(), unbundled);
  for (const name of unbundled) {
    const manifest = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
    t.equal((JSON.parse(manifest) as { dependencies?: unknown }).dependencies, undefined, 'and nothing that it needs');
  }
});

t.test('addresses by import.meta.url are those of modules that lie as deep as the program does', async (t) => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const users = sources.filter(
    (name) => name.endsWith('.ts') && readFileSync(join(ROOT, 'src', name), 'utf8').includes('import.meta.url)'),
  );
  t.ok(users.length > 0);
  for (const name of users) t.match(name, /^[^/]+\/[^/]+\.ts$/);
  const program = readdirSync(PROGRAM, { recursive: true, encoding: 'utf8' });
  for (const name of program.filter((each) => each.endsWith('.js'))) t.match(name, /^[^/]+\/[^/]+$/);
});

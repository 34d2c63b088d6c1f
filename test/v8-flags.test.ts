import { spawnSync } from 'node:child_process';
import t from 'tap';

t.test('V8 knows every flag that it is told', async (t) => {
  const module = new URL('../src/v8-flags.js', import.meta.url).href;
  const code = `import { flagsForThreads, flagsForWork } from ${JSON.stringify(module)};
    flagsForThreads();
    flagsForWork();
    const add = (a, b) => a + b;
    for (let i = 0; i < 1e6; i++) add(i, i);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  t.equal(stderr, '');
  t.equal(status, 0);
});

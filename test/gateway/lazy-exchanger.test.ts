import { fileURLToPath } from 'node:url';

import t from 'tap';

import { run } from '../support/process.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/no-files.js', import.meta.url));

t.test('the client that is needed first when no file can be opened works once they can', async (t) => {
  const { code, output } = await run('sh', ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, FIXTURE]);
  t.equal(output, 'OVERLOADED loaded\n');
  t.equal(code, 0);
});

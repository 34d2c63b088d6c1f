/** Whether setup finds out that APT's method would not work. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { methodFailure } from '../../../src/commands/setup/try-method.ts';
import { LAUNCHER } from '../../../scripts/support/apt-methods.ts';
import { skipWithoutApt } from '../../support/process.ts';

t.test('this one works, as whoever APT makes it', { skip: skipWithoutApt }, async (t) => {
  t.equal(methodFailure(LAUNCHER, process.env), undefined);
});

t.test('what goes wrong is said in one line', { skip: skipWithoutApt }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'dt-try-'));
  t.teardown(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, 'bin'));
  const method = (script: string) => {
    writeFileSync(join(home, 'bin/apt-method'), `#!/bin/sh\ncat >/dev/null\n${script}\n`);
    chmodSync(join(home, 'bin/apt-method'), 0o755);
    return methodFailure(join(home, 'bin/apt-method'), process.env);
  };
  t.equal(method(String.raw`printf '401 General Failure\nMessage: no user _apt\n\n'; exit 112`), 'no user _apt');
  t.equal(method('echo first >&2; echo cannot find Node >&2; exit 127'), 'cannot find Node');
  const thrown = String.raw`exec node -e 'import("/nonexistent/main.js")' >&2`;
  t.match(method(thrown), /^Error \[ERR_MODULE_NOT_FOUND\]: .*\/nonexistent\/main\.js/, 'an error of Node');
  t.equal(method('exit 3'), 'it ended with 3');
  t.equal(method('kill -9 $$'), 'it ended with a signal');
  t.equal(method('exit 0'), undefined);
  rmSync(join(home, 'bin/apt-method'));
  t.match(methodFailure(join(home, 'bin/apt-method'), process.env), /ENOENT/);
  t.match(methodFailure(LAUNCHER, { ...process.env, DEBTORRENT_NODE: '/nonexistent/node' }), /nonexistent/);
});

import t from 'tap';
import { commandLine } from '../../scripts/loadtest/describe.ts';

t.test('a report names no directory of the machine it was made on', (t) => {
  const told = (...argv: string[]): string => commandLine(argv).replace('npm run loadtest -- ', '');
  t.equal(told('--clients', '5', '--report', '/home/me/a b/soak'), '--clients 5 --report soak');
  t.equal(told('--report=/home/me/soak'), '--report=soak');
  t.equal(
    told('--subset', '/home/me/names', '--popularity', 'file:/home/me/by_inst'),
    '--subset names --popularity file:by_inst',
  );
  t.equal(told('--popularity=file:/home/me/by_inst'), '--popularity=file:by_inst');
  t.end();
});

t.test('what is no absolute path is told as it was given, quoted for a shell', (t) => {
  const argv = ['--title', "it's /not/ a path", '--target', 'http://127.0.0.1:3142', '--report', 'docs/soak'];
  t.equal(
    commandLine(argv),
    "npm run loadtest -- --title 'it'\\''s /not/ a path' --target http://127.0.0.1:3142 --report docs/soak",
  );
  t.end();
});

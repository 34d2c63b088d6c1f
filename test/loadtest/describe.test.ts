import t from 'tap';
import { commandLine, describeLoad } from '../../scripts/loadtest/describe.ts';
import { type Options, parseOptions } from '../../scripts/loadtest/options.ts';

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

t.test('faults are told in what they are given in', (t) => {
  const told = (...faults: string[]) => describeLoad(parseOptions(faults.map((each) => `--fault=${each}`)) as Options);
  t.match(told('errors=100%', 'latency=0.5ms'), /faults: errors 100 %, latency 0\.50 \(/);
  t.match(told('truncate=0', 'stall=2.5%', 'rate=1M'), /faults: truncate 0 %, stall 2\.5 %, rate 1,048,576 \(/);
  t.end();
});

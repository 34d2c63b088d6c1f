import t from 'tap';
import { type Options, helpText, parseOptions } from '../../scripts/loadtest/options.ts';
import { isLoopback } from '../../scripts/loadtest/loopback-only.ts';
import { chooseTargets } from '../../scripts/loadtest/targets/targets.ts';

t.test('without flags: fifty clients on our daemon', (t) => {
  t.match(parseOptions([]), {
    clients: 50,
    each: 40,
    targets: [],
    warm: false,
    duration: 300_000,
    popularity: { exponent: 1 },
  });
  t.end();
});

t.test('values have units', (t) => {
  const options = parseOptions([
    '--bytes=1.5G',
    '--ramp',
    '250ms',
    '--leave=5%',
    '--popularity=zipf:0.8',
    '--duration=1h',
  ]);
  t.match(options, {
    bytes: 1_610_612_736,
    ramp: 250,
    leave: 0.05,
    popularity: { exponent: 0.8 },
    duration: 3_600_000,
  });
  t.end();
});

t.test('foreign addresses are refused, whatever name they have, unless somebody says that they are theirs', (t) => {
  for (const url of [
    'http://192.0.2.1:3142',
    'http://proxy.example',
    'http://[2001:db8::1]:80',
    'http://127.0.0.1.example/',
  ]) {
    t.throws(() => parseOptions(['--target', url]), /not on this machine/, url);
    t.match(parseOptions(['--target', url, '--i-own-this-target']), { targets: [url] });
  }
  for (const url of ['http://127.0.0.1:3142', 'http://127.8.9.1/', 'http://localhost:80', 'http://[::1]:9988']) {
    t.match(parseOptions(['--target', url]), { targets: [url] }, url);
  }
  t.ok(isLoopback('[::1]') && isLoopback('LOCALHOST') && !isLoopback('0.0.0.0') && !isLoopback('::ffff:192.0.2.1'));
  t.end();
});

t.test('what is wrong is named in one line, with the flag and the value', (t) => {
  const bad: [string[], RegExp][] = [
    [['--clients=100000'], /^--clients: '100000' is not a whole number from 0 to 5000$/],
    [['--ramp=5'], /^--ramp: '5' is not a time/],
    [['--ramp=999999h'], /^--ramp: '999999h' is not a time/],
    [['--fault=restart=0s'], /^--fault: restart: '0s' is not a time/],
    [['--fault=latency=1s=2'], /^--fault: latency: '1s=2' is not a time/],
    [['--leave=200%'], /^--leave: '200%' is not a share/],
    [['--popularity=linear'], /^--popularity: 'linear' is not zipf/],
    [['--duration=3h'], /^--duration: '3h' is over 2h$/],
    [['--target=https://127.0.0.1'], /^--target: .* is not an http URL$/],
    [['--target=http://127.0.0.1:3142/acng'], /^--target: '.*acng' is not http:..HOST\[:PORT\] alone/],
    [['--target=http://me@127.0.0.1:3142'], /^--target: .* alone/],
    [['--clients=0'], /^--clients: '0' leaves no client/],
    [['--clients', '-1'], /^Option '--clients' argument is ambiguous$/],
    [['--fault=kill-peer=1s'], /^--fault: kill-peer without --peers$/],
    [['--fault=restart=1s', '--target=nginx'], /^--fault: restart and kill-peer are of debtorrent/],
    [['--nonsense'], /^Unknown option '--nonsense'$/],
    [['word'], /word/],
  ];
  for (const [argv, message] of bad) {
    t.throws(() => parseOptions(argv), { name: 'UsageError', message }, argv.join(' '));
  }
  t.end();
});

t.test('what has an effect is taken', (t) => {
  for (const argv of [
    ['--clients=0', '--apt=1'],
    ['--clients=0', '--method=1'],
    ['--fault=kill-peer=1s', '--peers=1'],
    ['--fault=restart=1s', '--target=nginx', '--target=debtorrent'],
    ['--fault=restart=1s', '--compare', '--target=nginx'],
  ]) {
    t.doesNotThrow(() => parseOptions(argv), argv.join(' '));
  }
  t.end();
});

t.test('a name that every object has is no target', async (t) => {
  for (const name of ['toString', 'constructor', '__proto__']) {
    const options = parseOptions([`--target=${name}`]) as Options;
    await t.rejects(chooseTargets(options, t.fail), {
      name: 'UsageError',
      message: `'${name}' is not one of debtorrent`,
    });
  }
});

t.test('--help names every flag', (t) => {
  t.equal(parseOptions(['--help']), 'help');
  const help = helpText(['debtorrent']);
  for (const name of ['target', 'clients', 'duration', 'warm', 'compare', 'i-own-this-target'])
    t.match(help, `--${name}`);
  t.end();
});

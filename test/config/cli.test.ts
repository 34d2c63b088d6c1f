import t from 'tap';
import { helpText, parseCommandLine } from '../../src/config/cli.ts';
import { envName, SETTING_NAMES } from '../../src/config/schema.ts';

const fails = (...argv: string[]) => {
  try {
    parseCommandLine(argv);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('accepted');
};

t.test('serve is the default', async (t) => {
  t.same(parseCommandLine([]), { command: 'serve', flags: new Map() });
  t.same(parseCommandLine(['serve']), { command: 'serve', flags: new Map() });
});

t.test('flags stand before or after the command, with = or a space', async (t) => {
  const flags = new Map([
    ['listen', ['127.0.0.1:0']],
    ['peer', ['a:1', 'b:2']],
    ['lan', ['off']],
  ]);
  t.same(parseCommandLine(['--listen', '127.0.0.1:0', 'serve', '--peer=a:1', '--peer', 'b:2', '--lan', 'off']), {
    command: 'serve',
    flags,
  });
});

t.test('status takes --json and --watch', async (t) => {
  t.match(parseCommandLine(['status', '--watch']), { command: 'status', json: false, watch: true });
  t.match(parseCommandLine(['status']), { command: 'status', json: false });
  t.match(parseCommandLine(['status', '--json', '--listen=127.0.0.1:1']), { command: 'status', json: true });
  t.match(fails('--json'), /'--json' is not a flag of 'serve'/);
});

t.test('seed takes paths and --verbose', async (t) => {
  t.match(parseCommandLine(['seed', 'a', '--cache-dir=c', '--verbose', 'b']), {
    command: 'seed',
    paths: ['a', 'b'],
    verbose: true,
  });
  t.match(parseCommandLine(['seed', 'a']), { verbose: false });
  t.equal(fails('seed'), "seed: '' is not a file or directory to take files from");
  t.equal(fails('seed', 'pool', ''), "seed: '' is not a file or directory to take files from");
  t.match(fails('--verbose'), /'--verbose' is not a flag of 'serve'/);
  t.match(fails('seed', 'a', '--json'), /'--json' is not a flag of 'seed'/);
});

t.test('setup takes its own flags and settings', async (t) => {
  t.same(parseCommandLine(['setup']), {
    command: 'setup',
    flags: new Map(),
    undo: false,
    proxy: false,
    print: false,
    yes: false,
    root: '/',
  });
  t.match(parseCommandLine(['setup', '--proxy', '--print', '--yes', '--root=/x', '--listen', '127.0.0.1:1']), {
    proxy: true,
    print: true,
    yes: true,
    root: '/x',
  });
  t.match(parseCommandLine(['--undo', 'setup', '--root', 'x']), { undo: true, root: 'x' });
  t.match(fails('--root', 'x'), /'--root' is not a flag of 'serve'/);
  t.match(fails('status', '--yes'), /'--yes' is not a flag of 'status'/);
  t.match(fails('setup', '--root'), /--root: '' is not DIR/);
  t.match(fails('setup', 'x'), /'x' is one argument too many/);
  t.match(fails('setup', '--undo', '--proxy'), /exclude each other/);
});

t.test('help and version', async (t) => {
  for (const argv of [['--help'], ['-h'], ['serve', '--help'], ['status', '-h']])
    t.match(parseCommandLine(argv), { command: 'help' });
  for (const argv of [['--version'], ['-V'], ['serve', '--version']])
    t.match(parseCommandLine(argv), { command: 'version' });
});

t.test('mistakes: one line that names what is wrong', async (t) => {
  t.equal(fails('--lissten', '127.0.0.1:1'), "'--lissten' is not a flag; see --help");
  t.equal(fails('--lissten=1'), "'--lissten=1' is not a flag; see --help");
  t.equal(fails('-x'), "'-x' is not a flag; see --help");
  t.equal(fails('--listen'), "--listen: '' is not ADDR:PORT");
  t.equal(fails('--lan', '--dht', 'on'), "--lan: '--dht' is not on|off");
  t.equal(fails('setup', '--root', '--yes'), "--root: '--yes' is not DIR");
  t.equal(fails('setup', '--root='), "--root: '' is not DIR");
  t.equal(fails('--cache-dir', '-h'), "--cache-dir: '-h' is not DIR");
  t.match(parseCommandLine(['--cache-dir=-h']), { flags: new Map([['cache-dir', ['-h']]]) });
  t.equal(fails('run'), "'run' is not a command; see --help");
  t.equal(fails('serve', 'x'), "'x' is one argument too many for 'serve'");
  t.equal(fails('--no-lan'), "'--no-lan' is not a flag; see --help");
  t.equal(fails('--__proto__'), "'--__proto__' is not a flag; see --help");
});

t.test('the help lists each flag, in lines for a terminal', async (t) => {
  for (const name of SETTING_NAMES) t.match(helpText(), `--${name} `);
  t.match(helpText(), envName('cache-dir'));
  for (const line of helpText().split('\n')) t.ok(line.length <= 120, line);
});

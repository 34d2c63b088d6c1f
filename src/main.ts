/** The program: reads the command line, runs the command, and turns what went wrong into a line and an exit code. */
import { asDebtorrentError, DebtorrentError } from './core/errors.ts';
import { helpText, parseCommandLine, type CommandLine } from './config/cli.ts';
import { DEFAULT_CONFIG_FILE, loadConfig, withCache } from './config/load.ts';
import type { LoadedConfig } from './config/schema.ts';
import { readVersion } from './config/version.ts';

const EXIT_FAILURE = 1;
const EXIT_CONFIG = 2;

/**
 * @param argv what follows the program's name.
 * @returns the exit code, also left in process.exitCode: 0 all went well, 1 it failed, 2 the configuration is wrong.
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const line = parseCommandLine(argv);
    // APT's methods have their own way to end when APT has gone
    if (line.command === 'serve') process.stdout.on('error', unread);
    else if (line.command !== 'method') process.stdout.on('error', unwritable);
    process.exitCode = await run(line);
  } catch (error) {
    process.stderr.write(`debtorrent: ${describe(error)}\n`);
    process.exitCode = asDebtorrentError(error).code === 'CONFIG_INVALID' ? EXIT_CONFIG : EXIT_FAILURE;
  }
  return process.exitCode;
}

async function run(line: CommandLine): Promise<number> {
  switch (line.command) {
    case 'help':
      process.stdout.write(helpText());
      return 0;
    case 'version':
      process.stdout.write(`${readVersion()}\n`);
      return 0;
    case 'status': {
      const { status } = await import('./commands/status/status.ts');
      const { stdout: out, env } = process;
      return status(configOf(line.flags), line, { out, env, now: Date.now });
    }
    case 'seed': {
      const { seed } = await import('./commands/seed/seed.ts');
      return seed(withCache(configOf(line.flags)), line);
    }
    case 'setup': {
      const { setup } = await import('./commands/setup/setup.ts');
      const { stdin, stdout, env } = process;
      return setup(line, { stdin, stdout, env, config: (file) => configOf(line.flags, file) });
    }
    case 'tracker': {
      const { tracker, TRACKER_LISTEN } = await import('./commands/tracker/tracker.ts');
      const { listen } = configOf(line.flags);
      // the daemon's address in a configuration file is not the tracker's
      return tracker(line.flags.has('listen') ? listen : TRACKER_LISTEN);
    }
    case 'method': {
      const { CAPABILITIES, runMethod } = await import('./method/main.ts');
      process.stdout.write(CAPABILITIES);
      process.exit(await runMethod(''));
    }
    case 'serve': {
      const config = withCache(configOf(line.flags));
      const { serve } = await import('./serve.ts');
      // all paths are absolute by now: the directory it was started in may be removed, or unmounted, while it runs
      process.chdir('/');
      const code = await serve(config);
      // it has stopped what could be stopped in time; a thread that hangs must not keep the process
      process.exit(code);
    }
  }
}

function configOf(flags: Parameters<typeof loadConfig>[0]['flags'], defaultFile = DEFAULT_CONFIG_FILE): LoadedConfig {
  return loadConfig({ flags, env: process.env, cwd: workingDirectory(), defaultFile });
}

/** Undefined when it has been removed, which matters to relative paths alone. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** Who pipes into `head` closes the pipe: that is no error. A full disk is. */
function unwritable(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.stderr.write(`debtorrent: standard output cannot be written: ${error.message}\n`);
  process.exit(EXIT_FAILURE);
}

/** A daemon says there only that it is ready: that nobody can read it, as on a full disk, keeps it from no work. */
function unread(): void {
  // the log says it, too
}

/** Expected failures are one line; a fault of the program shows where it is. */
function describe(error: unknown): string {
  if (error instanceof DebtorrentError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

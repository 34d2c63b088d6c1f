/**
 * The logger. It writes to standard error in this thread: standard output carries the ready line, and a transport
 * thread would lose the last lines of a crash.
 */
import { isatty } from 'node:tty';
import { destination, pino } from 'pino';
import type { Logger } from '../core/logging.ts';
import { harmlessJson, readableJson } from './harmless.ts';
import type { Config } from './schema.ts';

export interface Log {
  readonly logger: Logger;
  /** Writes out what is buffered. Call it last; it never throws. */
  flush(): void;
}

const STDERR = 2;
/** JSON lines gather up to this many bytes or milliseconds, so that a busy daemon does not write each by itself. */
const BUFFER_BYTES = 16_000;
const FLUSH_AFTER_MS = 200;

export async function createLog(config: Pick<Config, 'logLevel' | 'logFormat'>): Promise<Log> {
  const format = config.logFormat ?? (isatty(STDERR) ? 'pretty' : 'json');
  return format === 'pretty' ? prettyLog(config.logLevel) : jsonLog(config.logLevel);
}

function jsonLog(level: string): Log {
  const out = destination({ fd: STDERR, sync: false, minLength: BUFFER_BYTES });
  let timer: NodeJS.Timeout | undefined;
  // Not by its own periodicFlush, which writes nothing five times a second as long as there is nothing to write.
  const lines = {
    write(line: string): void {
      out.write(harmlessJson(line));
      timer ??= setTimeout(() => {
        timer = undefined;
        quietly(() => out.flush());
      }, FLUSH_AFTER_MS).unref();
    },
  };
  const flush = () => quietly(() => out.flushSync());
  process.once('exit', flush); // whatever ends the process, its last words are the ones that matter
  return { logger: pino({ level, base: null, timestamp: isoTime, formatters: { level: levelName } }, lines), flush };
}

function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // standard error is gone: there is nowhere to say so
  }
}

/** Loaded only when wanted: a daemon that logs JSON starts without it. */
async function prettyLog(level: string): Promise<Log> {
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    destination: STDERR,
    sync: true,
    colorize: isatty(STDERR),
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    // stacks are indented; a second line of a message would look like a line of the log
    messageFormat(record, key) {
      const message = record[key];
      return typeof message === 'string' ? message.replaceAll('\n', String.raw`\n`) : '';
    },
  });
  const lines = { write: (line: string) => void stream.write(readableJson(line)) };
  return { logger: pino({ level, base: null }, lines), flush: () => undefined };
}

/** Many lines of a busy daemon share a millisecond; making the text anew for each took 3 % of its time. */
let timeAt = Number.NaN;
let timeText = '';

function isoTime(): string {
  const now = Date.now();
  if (now !== timeAt) {
    timeAt = now;
    timeText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return timeText;
}

function levelName(label: string): { level: string } {
  return { level: label };
}

/**
 * The logger. It writes to standard error in this thread: standard output carries the ready line, and a transport
 * thread would lose the last lines of a crash.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import type { Logger } from '../core/logging.ts';
import { harmlessJson, readableJson } from './harmless.ts';
import { LogLines } from './log-lines.ts';
import type { Config } from './schema.ts';

export interface Log {
  readonly logger: Logger;
  /** Writes out what is buffered. Call it last; it never throws. */
  flush(): void;
}

const STDERR = 2;

export async function createLog(config: Pick<Config, 'logLevel' | 'logFormat'>): Promise<Log> {
  const format = config.logFormat ?? (isatty(STDERR) ? 'pretty' : 'json');
  return format === 'pretty' ? prettyLog(config.logLevel) : jsonLog(config.logLevel);
}

function jsonLog(level: string): Log {
  const lines: LogLines = new LogLines({ fd: STDERR, lost: (count) => tellLost(logger, count) });
  const flush = () => lines.flush();
  process.once('exit', flush); // whatever ends the process, its last words are the ones that matter
  const write = (line: string) => lines.write(harmlessJson(line));
  const logger = pino({ level, base: null, timestamp: isoTime, formatters: { level: levelName } }, { write });
  return { logger, flush };
}

/** Loaded only when wanted: a daemon that logs JSON starts without it. */
async function prettyLog(level: string): Promise<Log> {
  // its default export is all that there is of it in the bundled program
  const { default: pinoPretty } = await import('pino-pretty');
  const pretty = pinoPretty.prettyFactory({
    colorize: isatty(STDERR),
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    // stacks are indented; a second line of a message would look like a line of the log
    messageFormat(record, key) {
      const message = record[key];
      return typeof message === 'string' ? message.replaceAll('\n', String.raw`\n`) : '';
    },
  });
  const lines: LogLines = new LogLines({ fd: STDERR, lost: (count) => tellLost(logger, count) });
  const write = (line: string) => lines.writeNow(pretty(readableJson(line)));
  const logger = pino({ level, base: null }, { write });
  return { logger, flush: () => undefined };
}

function tellLost(logger: Logger, lines: number): void {
  logger.warn({ lines }, 'lines of the log could not be written and are missing');
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

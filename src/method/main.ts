/**
 * The APT method `debtorrent`: what bin/apt-method runs once APT has something to fetch. Speaks APT's protocol on
 * standard input and output until its input ends.
 */
import { writeSync } from 'node:fs';

import { AptMessageReader, formatAptMessage, type AptMessage } from '../core/method/apt-message.ts';
import { flagsForWork } from '../v8-flags.ts';
import { generalFailure } from './answers.ts';
import { dropPrivileges } from './privileges.ts';
import { readSettings } from './settings.ts';
import { Transaction } from './transaction.ts';

const STDOUT = 1;
/** As APT's own methods: 100 for what they do not understand, 112 when they cannot drop their rights. */
const EXIT_MALFORMED = 100;
const EXIT_PRIVILEGES = 112;

/** What the launcher says in our place; a test holds the two together. */
export const CAPABILITIES = formatAptMessage('100 Capabilities', {
  Version: '2.0',
  'Single-Instance': 'true',
  Pipeline: 'true',
  'Send-Config': 'true',
  'Send-URI-Encoded': 'true',
});

/**
 * @param consumed what the launcher has read of standard input already.
 * @returns the exit code when APT has closed its end.
 */
export function runMethod(consumed: string): Promise<number> {
  flagsForWork();
  const reader = new AptMessageReader();
  let transaction: Transaction | undefined;

  function handle(message: AptMessage): void {
    if (message.code === 601) {
      const settings = readSettings(message);
      if (settings.sandboxUser !== undefined) dropOrDie(settings.sandboxUser);
      transaction ??= new Transaction(settings, send);
    } else if (message.code === 600) transaction?.asked(message);
  }

  function received(text: string): void {
    let messages: AptMessage[];
    try {
      messages = reader.push(text);
    } catch (error) {
      die(EXIT_MALFORMED, `what came is not from APT: ${(error as Error).message}`);
    }
    for (const message of messages) handle(message);
  }

  received(consumed);
  process.stdin.setEncoding('utf8').on('data', received);
  return new Promise((resolve) => {
    process.stdin.once('end', () => resolve(0));
    process.stdin.once('error', () => resolve(0));
  });
}

function dropOrDie(user: string): void {
  try {
    dropPrivileges(user);
  } catch (error) {
    die(EXIT_PRIVILEGES, (error as Error).message);
  }
}

function send(text: string): void {
  try {
    writeSync(STDOUT, text);
  } catch {
    process.exit(0); // APT has gone
  }
}

function die(code: number, message: string): never {
  send(generalFailure(message));
  process.exit(code);
}

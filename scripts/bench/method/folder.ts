/** A methods folder for APT: links to its own methods and to ours, or wrappers that note the processor time of each. */
import { chmod, readFile, readlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linkMethods } from '../../support/apt-methods.ts';

/** The line of apt.conf that makes APT use it. */
export async function methodsFolder(directory: string, timesLog?: string): Promise<string> {
  linkMethods(directory);
  for (const name of timesLog === undefined ? [] : ['http', 'debtorrent']) {
    const path = join(directory, name);
    const target = await readlink(path);
    await unlink(path);
    // APT ends a method by SIGINT, but the method also ends when its input does, and then it can be accounted for
    await writeFile(path, `#!/bin/bash\ntrap '' INT\n'${target}'\ntimes >>'${timesLog}'\n`);
    await chmod(path, 0o755);
  }
  return `Dir::Bin::methods "${directory}";`;
}

/** Processor seconds of the methods that have ended since the log was empty. */
export async function methodSeconds(timesLog: string): Promise<number> {
  const text = await readFile(timesLog, 'utf8').catch(() => '');
  let seconds = 0;
  // bash prints a line for itself and one for its children, each with user and system time
  for (const [index, line] of text.trim().split('\n').entries()) {
    if (index % 2 === 0) continue;
    for (const [, minutes, rest] of line.matchAll(/(\d+)m([\d.]+)s/g)) seconds += Number(minutes) * 60 + Number(rest);
  }
  return seconds;
}

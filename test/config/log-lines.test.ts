import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LogLines } from '../../src/config/log-lines.ts';
import { until } from '../support/process.ts';
import { skipWithoutMount } from '../support/tmpfs.ts';

const skip = skipWithoutMount();

/** A log on a small disk, which `fill` leaves no byte of. */
function smallDisk(t: Test) {
  const disk = mkdtempSync(join(tmpdir(), 'dt-log-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'tmpfs', disk]);
  const path = join(disk, 'log');
  const filler = join(disk, 'filler');
  const fd = openSync(path, 'a');
  t.teardown(() => {
    closeSync(fd);
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true });
  });
  let told = 0;
  const lines = new LogLines({ fd, lost: (count) => (told += count) });
  return {
    lines,
    told: () => told,
    written: () => readFileSync(path, 'utf8').split('\n'),
    fill: () => t.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), { code: 'ENOSPC' }),
    empty: () => rmSync(filler),
  };
}

const FULL = 200;
const line = (name: string) => `${name} ${'x'.repeat(200)}\n`;

for (const how of ['in turn', 'at once'] as const) {
  t.test(`a disk that is full and has room again: written ${how}`, { skip }, async (t) => {
    const { lines, told, written, fill, empty } = smallDisk(t);
    const write = (text: string) => (how === 'at once' ? lines.writeNow(text) : lines.write(text));
    write(line('first'));
    lines.flush();
    fill();
    // more than there is room for in the last block of the file
    for (let n = 0; n < FULL; n++) write(line('full'));
    if (how === 'at once') t.equal(told(), 0, 'nothing is told where nothing can be written');
    empty();
    const whole = (name: string) => written().filter((each) => line(name) === `${each}\n`).length;
    await until('lines are written again, and as many are told as are missing', () => {
      write(line('after'));
      return whole('after') > 0 && told() === FULL - whole('full');
    });
    if (how === 'at once') t.ok(told() > 0);
    t.equal(whole('first'), 1);
  });
}

t.test('what waits is bounded while nothing can be written', async (t) => {
  const told: number[] = [];
  const fd = openSync(join(t.testdir(), 'log'), 'a');
  t.teardown(() => closeSync(fd));
  const lines = new LogLines({ fd, lost: (count) => told.push(count) });
  // no I/O thread has written anything before this turn ends
  for (let n = 0; n < 20_000; n++) lines.write(line('x'));
  await until('it is told what was left out', () => told.length > 0);
  t.ok((told[0] ?? 0) > 20_000 - (2 * 1024 * 1024) / line('x').length, `${told[0]}`);
});

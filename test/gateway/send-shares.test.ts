/** How answers share the gateway's thread and memory. */
import t from 'tap';
import { SendShares } from '../../src/gateway/send-shares.ts';

const MIB = 1024 * 1024;

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Turns of the event loop that go by until all is done. */
async function turnsUntil(all: Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  void all.then(() => (done = true));
  while (!done) {
    await new Promise(setImmediate);
    turns++;
  }
  return turns;
}

t.test('a single piece goes at once', async (t) => {
  const shares = new SendShares();
  t.equal(shares.further(), undefined);
  await new Promise(setImmediate);
  t.equal(shares.further(), undefined);
});

t.test('what many ask for is done over many turns, in order, so that connections are taken in between', async (t) => {
  const shares = new SendShares();
  const done: number[] = [];
  const piece = async (number: number) => {
    const wait = shares.further();
    if (wait !== undefined) await wait;
    busy(0.3);
    done.push(number);
  };
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  const turns = await turnsUntil(Promise.all(numbers.map(piece)));
  t.ok(turns >= 40, `about two of 0.3 ms in a turn: ${turns}`);
  t.same(done, numbers);
});

t.test('requests come first, and pieces are not starved', async (t) => {
  const shares = new SendShares();
  const done: string[] = [];
  const take = async (what: string, share: Promise<void> | undefined) => {
    await share;
    busy(0.1);
    done.push(what);
  };
  void shares.further();
  busy(1);
  await Promise.all([
    ...Array.from({ length: 20 }, () => take('piece', shares.further())),
    ...Array.from({ length: 20 }, () => take('request', shares.first())),
  ]);
  t.equal(done.length, 40);
  t.equal(done.slice(0, 10).filter((what) => what === 'request').length, 8);
  t.ok(done.indexOf('piece') <= 5);
});

t.test('buffers become smaller the more are being sent', async (t) => {
  const said: boolean[] = [];
  const shares = new SendShares((crowded) => said.push(crowded));
  let before = Infinity;
  for (let sending = 1; sending <= 2000; sending++) {
    shares.begin();
    const { length } = shares.buffer();
    t.ok(length <= before && length >= 32 * 1024);
    if (sending <= 1024) t.ok(length * sending <= 32 * MIB, `${sending} times ${length}`);
    before = length;
  }
  t.equal(before, 32 * 1024);
  t.ok(shares.crowded);
  for (let sending = 0; sending < 1990; sending++) shares.end();
  t.notOk(shares.crowded);
  t.same(said, [true, false]);
  t.equal(shares.buffer().length, 256 * 1024);
});

t.test('a buffer is used again', async (t) => {
  const shares = new SendShares();
  shares.begin();
  const buffer = shares.buffer();
  shares.free(buffer);
  t.equal(shares.buffer(), buffer);
  t.not(shares.buffer(), buffer);
});

t.test('a MiB of them is kept for the next answer when nothing is being sent', async (t) => {
  const shares = new SendShares();
  const sent = (count: number) => {
    const buffers = Array.from({ length: count }, () => {
      shares.begin();
      return shares.buffer();
    });
    for (const buffer of buffers) shares.free(buffer);
    for (const _ of buffers) shares.end();
    return buffers;
  };
  const first = sent(8);
  const again = sent(8);
  t.equal(again.filter((buffer) => first.includes(buffer)).length, 4);
  t.equal(again[0]?.length, 256 * 1024);
});

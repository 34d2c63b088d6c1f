/** Who watches the page costs one picture a second in all, and a bounded number of connections. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

import t, { type Test } from 'tap';

import { asDebtorrentError } from '../../../src/core/errors.ts';
import { MAX_VIEWERS, Viewers } from '../../../src/gateway/status/viewers.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { until } from '../../support/process.ts';

interface Scene {
  readonly clock: ManualClock;
  readonly viewers: Viewers;
  readonly sections: Map<string, string>;
  pictures: number;
  watch(): Promise<Watcher>;
  /** Lets a second pass and the picture be made. */
  second(): Promise<void>;
}

interface Watcher {
  readonly answer: IncomingMessage;
  readonly text: string;
}

function scene(t: Test): Scene {
  const clock = new ManualClock();
  const sections = new Map([
    ['one', 'first'],
    ['two', 'fixed'],
  ]);
  const self = { clock, sections, pictures: 0 } as { -readonly [K in keyof Scene]: Scene[K] };
  self.viewers = new Viewers({
    clock,
    picture: async () => {
      self.pictures += 1;
      return new Map(sections);
    },
  });
  const server = createServer((_, res) => {
    try {
      self.viewers.add(res);
    } catch (error) {
      res.writeHead(503).end(asDebtorrentError(error).code);
    }
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const listening = new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.watch = async () => {
    await listening;
    const { port } = server.address() as AddressInfo;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host: '127.0.0.1', port, agent: false }, resolve).on('error', reject).end();
    });
    const watcher = { answer, text: '' };
    answer.setEncoding('utf8').on('data', (text: string) => (watcher.text += text));
    answer.on('error', () => undefined);
    return watcher;
  };
  self.second = async () => {
    await until('the next picture is due', () => clock.timers > 0);
    clock.advance(1000);
  };
  return self;
}

t.test('all viewers share one picture a second, and are sent what has changed', async (t) => {
  const s = scene(t);
  const watchers = await Promise.all([s.watch(), s.watch(), s.watch()]);
  await until('all are there', () => s.viewers.count === 3);
  await s.second();
  await until('all have seen it', () => watchers.every(({ text }) => text.includes('"two":"fixed"')));
  const before = s.pictures;
  t.ok(before <= 2, `${before} pictures for three`);
  s.sections.set('one', 'second');
  await s.second();
  await until('all see the change', () => watchers.every(({ text }) => text.endsWith('data: {"one":"second"}\n\n')));
  t.equal(s.pictures, before + 1);
});

t.test('nothing is made when nobody looks', async (t) => {
  const s = scene(t);
  const { answer } = await s.watch();
  await until('the first picture is made', () => s.pictures === 1 && s.clock.timers === 1);
  answer.destroy();
  await until('it has left', () => s.viewers.count === 0);
  t.equal(s.clock.timers, 0);
  s.clock.advance(100_000);
  t.equal(s.pictures, 1);
});

t.test('when nothing changes a sign of life is sent now and then', async (t) => {
  const s = scene(t);
  const watcher = await s.watch();
  await until('there is the first', () => watcher.text.includes('fixed'));
  for (let seconds = 0; seconds < 16; seconds++) await s.second();
  await until('it is told that there are none', () => watcher.text.endsWith('\n\ndata: {}\n\n'));
  t.equal(watcher.text.match(/data:/g)?.length, 2);
});

t.test('more viewers than there are places are refused', async (t) => {
  const s = scene(t);
  const watchers = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => s.watch()));
  t.ok(watchers.every(({ answer }) => answer.statusCode === 200));
  const late = await s.watch();
  t.equal(late.answer.statusCode, 503);
  await until('it says why', () => late.text === 'OVERLOADED');
  watchers[0]?.answer.destroy();
  await until('a place is free', () => s.viewers.count < MAX_VIEWERS);
  t.equal((await s.watch()).answer.statusCode, 200);
});

t.test('a viewer that takes nothing misses pictures, and has memory of no more than one', async (t) => {
  const s = scene(t);
  const slow = await s.watch();
  slow.answer.pause();
  const quick = await s.watch();
  await until('both are there', () => s.viewers.count === 2);
  const large = 'x'.repeat(1024 * 1024);
  const rounds = 40;
  for (let round = 0; round < rounds; round++) {
    s.sections.set('one', `${round} ${large}`);
    await s.second();
    await until('the quick one has it', () => quick.text.includes(`"${round} x`));
  }
  slow.answer.resume();
  await until('the slow one goes on', () => slow.text.endsWith('\n\n') && slow.text.length > large.length);
  s.sections.set('one', 'last');
  await s.second();
  await until('and is up to date', () => slow.text.endsWith('data: {"one":"last"}\n\n'));
  t.ok((slow.text.match(/data:/g)?.length ?? 0) < rounds, 'without all that it missed');
});

t.test('a picture that cannot be made is tried again; the end ends all streams', async (t) => {
  const s = scene(t);
  const clock = new ManualClock();
  let fails = true;
  const viewers = new Viewers({
    clock,
    picture: () => (fails ? Promise.reject(new Error('not now')) : Promise.resolve(new Map([['one', 'there']]))),
  });
  const server = createServer((_, res) => viewers.add(res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  let text = '';
  const ended = new Promise((resolve) => {
    request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }, (answer) => {
      answer.setEncoding('utf8').on('data', (more: string) => (text += more));
      answer.on('end', resolve);
    }).end();
  });
  await until('it was tried', () => clock.timers === 1);
  fails = false;
  clock.advance(1000);
  await until('it is there', () => text.includes('there'));
  viewers.close();
  await ended;
  t.equal(clock.timers, 0);
  t.equal(s.viewers.count, 0);
});

t.test('a window that was closed leaves its place at once, also where clients may close their side', async (t) => {
  const clock = new ManualClock();
  const viewers = new Viewers({ clock, picture: () => Promise.resolve(new Map([['one', 'there']])) });
  let added = 0;
  const server = createServer((req, res) => {
    const add = () => {
      viewers.add(res);
      added += 1;
    };
    if (req.url === '/late') req.socket.once('end', () => setImmediate(add));
    else add();
  });
  Object.assign(server, { httpAllowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const path of ['/', '/late']) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const ended = once(socket, 'end');
    socket.resume().end(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await ended;
    await until('it has left', () => viewers.count === 0);
  }
  t.equal(added, 2);
});

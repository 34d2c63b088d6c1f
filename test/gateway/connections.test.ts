/** What clients do with their connections leaves none of them behind. */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import t from 'tap';

import { listen } from '../../src/gateway/listeners.ts';
import { until } from '../kernel/contract.ts';
import { randomBytes } from '../support/random.ts';
import { AnswerParser, exchange, requestText } from '../support/raw-http.ts';
import { startGateway, type GatewayScene } from './fixtures/gateway-scene.ts';

/** Of this process: both ends of each connection that is open. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length;
}

interface Handle {
  readonly localPort?: number;
}

/** The gateway's ends of its clients' connections, without those to mirrors, which are kept for a while. */
function clientsOf({ listeners }: { readonly listeners: { readonly port: number } }): number {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): Handle[] };
  return handles.call(process).filter(({ localPort }) => localPort === listeners.port).length;
}

/** A client that notices the end and leaves its own half open. */
function halfOpen(
  s: Pick<GatewayScene, 'listeners'>,
  text: string,
): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect({ port: s.listeners.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  let read = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (read += chunk));
  const answer = new Promise<string>((resolve) => {
    socket.once('end', () => resolve(read));
    socket.once('close', () => resolve(read));
  });
  return new Promise((resolve) => socket.once('connect', () => socket.write(text, () => resolve({ socket, answer }))));
}

const REFUSED = {
  'a host off the list': ['CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n', 403],
  'no port': ['CONNECT evil.example HTTP/1.1\r\nHost: evil.example\r\n\r\n', 400],
  'nobody listens there': ['CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n', 503],
  'what is no request': ['GARBAGE\r\n\r\n', 400],
} as const;

t.test('who is refused and sends more all the same', async (t) => {
  const s = await startGateway(t);
  for (const [what, [text, status]] of Object.entries(REFUSED)) {
    const before = openSockets();
    for (let round = 0; round < 5; round++) {
      const { socket, answer } = await halfOpen(s, text);
      t.match(await answer, `HTTP/1.1 ${status} `, what);
      socket.write('x'.repeat(300), () => socket.destroy());
    }
    await until(() => openSockets() <= before);
  }
});

t.test('who is refused and stays', async (t) => {
  const s = await startGateway(t);
  const before = openSockets();
  const clients = await Promise.all(Object.values(REFUSED).map(([text]) => halfOpen(s, text)));
  for (const { answer } of clients) t.match(await answer, /^HTTP\/1\.1 [45]/);
  await until(() => openSockets() <= before + clients.length);
  for (const { socket } of clients) socket.destroy();
});

t.test('what is no request is refused behind the answers to those before it', async (t) => {
  const s = await startGateway(t);
  await s.publish('slow', randomBytes('slow', 300_000));
  let release = () => undefined as void;
  s.web.rule('/slow', { hold: new Promise<void>((resolve) => (release = resolve)) });
  const requests = ['slow', 'none'].map((name) => requestText('GET', `/${s.web.host}/${name}`, s.host)).join('');
  const answers = exchange(s.target, `${requests}GARBAGE\r\n\r\n`, { answers: 4 });
  await until(() => s.web.requests('/none')[0]?.done === true);
  release();
  const [slow, none, garbage, ...more] = await answers;
  t.ok(slow?.body.equals(randomBytes('slow', 300_000)));
  t.equal(none?.status, 404);
  t.match(garbage, { status: 400, headers: { connection: 'close' } });
  t.same(more, []);
});

t.test('a body that is malformed has the answer of its request alone', async (t) => {
  const s = await startGateway(t);
  const head = `GET /${s.web.host}/a HTTP/1.1\r\nHost: ${s.host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const answers = await exchange(s.target, `${head}GARBAGE\r\n`, { answers: 2 });
  t.match(answers, [{ status: 400 }]);
  t.equal(answers.length, 1);
});

t.test('a stop does not wait for who was refused', async (t) => {
  const s = await startGateway(t);
  const { socket, answer } = await halfOpen(s, REFUSED['a host off the list'][0]);
  await answer;
  s.listeners.stopAccepting();
  await s.listeners.close();
  socket.destroy();
});

t.test('a request that never becomes whole, byte by byte', async (t) => {
  const s = await startGateway(t, { times: { headersMs: 100, requestMs: 200, checkMs: 50, halfClosedMs: 60_000 } });
  await s.publish('large', randomBytes('large', 4 * 1024 * 1024));
  s.web.rule('/large', { stallAt: 1024 * 1024, until: new Promise((resolve) => setTimeout(resolve, 3_000)) });
  const get = requestText('GET', `/${s.web.host}/large`, s.host);
  const cases: (readonly [what: string, text: string, answered: RegExp])[] = [
    ['half a head', 'GET / HTTP/1.1\r\nX: ', /^HTTP\/1\.1 408 [^]*REQUEST_TIMEOUT/],
    ['half a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nx', /^HTTP\/1\.1 405 /],
    ['half a head behind an answer that goes on', `${get}GET / HTTP/1.1\r\nX: `, /^(?:HTTP\/1\.1 200 |$)/],
  ];
  const drips = async ([what, text, answered]: (typeof cases)[number]) => {
    const { socket, answer } = await halfOpen(s, text);
    const drip = setInterval(() => socket.write('x'), 20);
    t.teardown(() => clearInterval(drip));
    t.match(await answer, answered, what);
    // writing tells it that the other end is gone
    await until(() => socket.destroyed);
    clearInterval(drip);
  };
  await Promise.all(cases.map(drips));
});

t.test('who closes its side after its requests is answered, and then the connection is closed', async (t) => {
  const s = await startGateway(t);
  const large = randomBytes('large', 3 * 1024 * 1024);
  await s.publish('large', large);
  await s.publish('small', Buffer.from('small'));
  const of = (name: string) => requestText('GET', `/${s.web.host}/${name}`, s.host);
  for (const [what, text, statuses] of [
    ['one', of('large'), [200]],
    [
      'pipelined',
      of('large') + of('none') + of('small') + requestText('GET', '/healthz', s.host),
      [200, 404, 200, 200],
    ],
    ['and what is no request', `${of('small')}GARBAGE\r\n\r\n`, [200, 400]],
    ['and half a request', `${of('small')}GET / HT`, [200, 400]],
    ['none', '', []],
  ] as const) {
    let release = () => undefined as void;
    const hold = new Promise<void>((resolve) => (release = resolve));
    const undo = s.web.rule(/./, { hold });
    const { socket, answer } = await halfOpen(s, text);
    socket.end();
    const hear = new Promise((resolve) => setTimeout(resolve, 100));
    await hear.then(release); // its end has been heard of before the mirror answers
    const parser = new AnswerParser();
    parser.push(Buffer.from(await answer, 'latin1'));
    parser.end();
    undo();
    t.same(
      parser.answers.map(({ status, complete }) => ({ status, complete })),
      statuses.map((status) => ({ status, complete: true })),
      what,
    );
    if (text.includes('/large ')) t.ok(parser.answers[0]?.body.equals(large));
    await until(() => socket.destroyed);
  }
  await until(() => clientsOf(s) === 0);
});

t.test('who has closed its side and may have gone is not waited for without end', async (t) => {
  const times = { headersMs: 60_000, requestMs: 60_000, checkMs: 60_000, halfClosedMs: 200 };
  const s = await startGateway(t, { times });
  await s.publish('held', Buffer.from('held'));
  s.web.rule('/held', { hold: new Promise(() => undefined) });
  const { socket, answer } = await halfOpen(s, requestText('GET', `/${s.web.host}/held`, s.host));
  await until(() => clientsOf(s) === 1);
  socket.end();
  t.equal(await answer, '', 'dropped before the mirror is given up');
  const gone = await halfOpen(s, requestText('GET', `/${s.web.host}/held`, s.host));
  gone.socket.destroy();
  await until(() => clientsOf(s) === 0);
});

t.test('a tunnel whose client has closed its side goes on', async (t) => {
  const times = { headersMs: 60_000, requestMs: 60_000, checkMs: 60_000, halfClosedMs: 20 };
  const deps = {
    request: () => t.fail('no request'),
    refused: () => t.fail('nothing to refuse'),
    connect(_: unknown, socket: Duplex) {
      socket.resume().once('timeout', () => setImmediate(() => socket.end('late')));
    },
  };
  const listeners = await listen(deps, { host: '127.0.0.1', port: 0 }, undefined, times);
  t.teardown(() => listeners.close());
  const { socket, answer } = await halfOpen({ listeners }, 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n');
  socket.end();
  t.equal(await answer, 'late');
});

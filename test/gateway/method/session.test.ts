/** The daemon's end of the APT method: what is announced is fetched, and what a client says changes nothing for others. */
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';

import {
  CONTROL_TARGET,
  decodeDaemonMessage,
  encodeControl,
  EXPECTED_HEADER,
  LineReader,
  type DaemonMessage,
} from '../../../src/core/method/control.ts';
import { hashOf } from '../../actors/fixtures/fetch-stack.ts';
import { randomBytes } from '../../support/random.ts';
import { openSocket } from '../../support/raw-http.ts';
import { ARCHIVE, startGateway, type GatewayScene } from '../fixtures/gateway-scene.ts';

const EMPTY_HEAD = '\r\n\r\n';

class Control {
  readonly socket: Socket;
  readonly told: DaemonMessage[] = [];
  readonly closed: Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(t: Test, s: GatewayScene) {
    this.socket = openSocket(s.target);
    t.teardown(() => this.socket.destroy());
    const lines = new LineReader();
    let head = '';
    this.socket.on('data', (chunk: Buffer) => {
      let text = chunk.toString('latin1');
      if (!head.includes(EMPTY_HEAD)) {
        head += text;
        text = head.includes(EMPTY_HEAD) ? head.slice(head.indexOf(EMPTY_HEAD) + 4) : '';
      }
      this.told.push(...lines.push(text).map(decodeDaemonMessage));
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.write(`CONNECT ${CONTROL_TARGET} HTTP/1.1\r\nHost: ${CONTROL_TARGET}\r\n\r\n`);
  }

  async until(holds: (told: readonly DaemonMessage[]) => boolean): Promise<void> {
    while (!holds(this.told)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

t.test('what is announced is fetched once, and its first answer is no saving', async (t) => {
  const s = await startGateway(t);
  // The last ones are too large to be kept in memory.
  const sizeOf = (n: number) => (n < 48 ? 1000 + n : 200_000 + n);
  const files = new Map(Array.from({ length: 50 }, (_, n) => [`pool/${n}.deb`, randomBytes(String(n), sizeOf(n))]));
  for (const [name, data] of files) await s.publish(`${ARCHIVE}/${name}`, data);
  s.index(Object.fromEntries(files));
  const control = new Control(t, s);
  const want = [...files].map(([name, data], id) => ({
    ...{ id, target: `/${s.web.host}/${ARCHIVE}/${name}`, sha256: hashOf(data), size: data.length },
  }));
  control.socket.write(encodeControl({ want }));
  await control.until((told) => told.flatMap(({ ready = [] }) => ready).length === 50);
  for (const [name, data] of files) {
    const expected = `${EXPECTED_HEADER}: ${hashOf(data)}`;
    for (const source of ['mirror', 'cache', 'cache']) {
      const answer = await s.get(`${ARCHIVE}/${name}`, [expected]);
      t.ok(answer.body.equals(data));
      t.equal(answer.headers['x-debtorrent-source'], source);
    }
    t.equal(s.web.requests(`/${ARCHIVE}/${name}`).length, 1);
  }
});

t.test('what cannot be fetched is told, with the code that a request would have had', async (t) => {
  const s = await startGateway(t);
  const control = new Control(t, s);
  const sha256 = hashOf(Buffer.from('x'));
  const targets = [`/${s.web.host}/none`, '/forbidden.example/a', '/', '/status.json'];
  control.socket.write(encodeControl({ want: targets.map((target, id) => ({ id, target, sha256, size: 1 })) }));
  await control.until((told) => told.flatMap(({ failed = [] }) => failed).length === 4);
  const failed = control.told.flatMap(({ failed = [] }) => failed).toSorted((a, b) => a.id - b.id);
  t.same(
    failed.map(({ code }) => code),
    ['NOT_FOUND', 'HOST_NOT_ALLOWED', 'BAD_TARGET', 'BAD_TARGET'],
  );
});

t.test('a hash that a client expects is its own affair', async (t) => {
  const s = await startGateway(t);
  const [mine, other] = [randomBytes('mine', 4000), randomBytes('other', 5000)];
  await s.publish('private/mine', mine);
  await s.publish('private/other', other);
  const expects = (data: Buffer): string[] => [`${EXPECTED_HEADER}: ${hashOf(data)}`];
  t.ok((await s.get('private/other', expects(other))).body.equals(other));
  const swapped = await s.get('private/mine', expects(other));
  t.ok(swapped.body.equals(other), 'who expects other content gets that, by its hash');
  t.ok((await s.get('private/mine')).body.equals(mine), 'and nobody else does');
  t.ok((await s.get('private/mine', expects(mine))).body.equals(mine));
  const wrong = await s.get('private/mine', expects(randomBytes('neither', 10)));
  t.equal(wrong.headers['x-debtorrent-error'], 'HASH_MISMATCH', 'what is not there is not served');
  t.ok((await s.get('private/mine', [`${EXPECTED_HEADER}: nonsense`])).body.equals(mine));
});

t.test('what is signed for stays what is signed for', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('signed', 3000);
  await s.publish(`${ARCHIVE}/pool/a.deb`, data);
  s.index({ 'pool/a.deb': data });
  const wrong = await s.get(`${ARCHIVE}/pool/a.deb`, [`${EXPECTED_HEADER}: ${hashOf(Buffer.from('old'))}`]);
  t.equal(wrong.headers['x-debtorrent-error'], 'HASH_MISMATCH');
  const right = await s.get(`${ARCHIVE}/pool/a.deb`);
  t.ok(right.body.equals(data));
  t.equal(right.headers['etag'], `"${hashOf(data)}"`);
});

t.test('what is no message of the method ends its connection, and no other', async (t) => {
  const s = await startGateway(t);
  const good = new Control(t, s);
  for (const line of [
    'GET / HTTP/1.1\r\n',
    '{"want":[{}]}\n',
    'x'.repeat(5_000_000),
    `{"over":[${'1,'.repeat(400)}1]}\n`,
  ]) {
    const bad = new Control(t, s);
    bad.socket.write(line);
    await bad.closed;
    t.pass(line.slice(0, 20));
  }
  good.socket.write(
    encodeControl({ want: [{ id: 1, target: '/forbidden.example/a', sha256: hashOf(Buffer.alloc(1)), size: 1 }] }),
  );
  await good.until((told) => told.length > 0);
});

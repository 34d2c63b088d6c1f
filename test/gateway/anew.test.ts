/** A mirror falls silent after the head of a file that no index knows, of which the client has no byte yet. */
import { once } from 'node:events';

import t from 'tap';

import { openSocket, requestText, AnswerParser } from '../support/raw-http.ts';
import { randomBytes } from '../support/random.ts';
import { startGateway, type GatewayScene } from './fixtures/gateway-scene.ts';

t.setTimeout(600_000);

/** Asks for the file; `begun` is called when the head has come. */
async function answerTo(s: GatewayScene, path: string, begun: () => void) {
  const socket = openSocket(s.target);
  const parser = new AnswerParser([]);
  socket.once('data', begun);
  socket.on('data', (data) => parser.push(data));
  socket.write(requestText('GET', `/${s.web.host}/${path}`, s.host, ['Connection: close']));
  await once(socket, 'close');
  parser.end();
  return parser.answers[0];
}

t.test('the same file is given as it comes the next time', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('same', 300_000);
  await s.publish('same.img', data);
  s.web.rule('/same.img', { stallAt: 0 }, 1);
  const answer = await answerTo(s, 'same.img', () => s.web.dropConnections());
  t.match(answer, { status: 200, complete: true });
  t.ok(answer?.body.equals(data));
});

t.test('another file does not follow the head of the first', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('other', 300_000);
  await s.publish('other.img', data);
  s.web.rule('/other.img', { stallAt: 0, etag: '"first"' }, 1);
  const answer = await answerTo(s, 'other.img', () => s.web.dropConnections());
  t.match(answer, { status: 200, complete: false });
  t.equal(answer?.body.length, 0);
});

import t from 'tap';
import { AnswerReader } from '../../../scripts/loadtest/client/answer-reader.ts';

function reader() {
  const seen: string[] = [];
  let body = '';
  const answers = new AnswerReader({
    head: ({ status, last }) => seen.push(`${status}${last ? ' last' : ''}`),
    body: (chunk) => (body += chunk.toString('latin1')),
    done: (complete) => {
      seen.push(`${body}${complete ? '' : ' cut'}`);
      body = '';
    },
  });
  return { answers, seen };
}

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
].join('');
const EXPECTED = ['200', 'hello', '304', '', '404', '', '200', 'abcde', '200 last', 'until the end'];

t.test('answers of every framing, in whatever pieces they come', (t) => {
  for (const size of [1, 2, 3, 7, 50, ANSWERS.length]) {
    const { answers, seen } = reader();
    for (let at = 0; at < ANSWERS.length; at += size) answers.push(Buffer.from(ANSWERS.slice(at, at + size)));
    answers.end();
    t.same(seen, EXPECTED, `pieces of ${size}`);
  }
  t.end();
});

t.test('a body that ends early is said to be cut', (t) => {
  const { answers, seen } = reader();
  answers.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel'));
  t.notOk(answers.idle);
  answers.end();
  t.same(seen, ['200', 'hel cut']);
  t.end();
});

t.test('what is no HTTP is an error, and so is a head or a chunk without an end', (t) => {
  const bad = [
    'SSH-2.0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1'.repeat(2000)}`,
  ];
  for (const text of bad)
    t.throws(() => reader().answers.push(Buffer.from(text)), { name: 'ProtocolError' }, text.slice(0, 60));
  t.end();
});

/** Messages of APT, of the control protocol and of HTTP: cut anywhere, malformed, without end. */
import fc from 'fast-check';
import t from 'tap';

import { AnswerMalformed, AnswerReader, type Answer } from '../../../src/core/method/answer-reader.ts';
import { AptMessageReader, field, formatAptMessage } from '../../../src/core/method/apt-message.ts';
import {
  ControlError,
  decodeDaemonMessage,
  decodeMethodMessage,
  encodeControl,
  LineReader,
} from '../../../src/core/method/control.ts';
import { parseDebtorrentUri } from '../../../src/core/method/debtorrent-uri.ts';
import type { Sha256 } from '../../../src/core/ids.ts';

/** Pieces of `text`, cut where the numbers say. */
function cut<T extends Buffer | string>(data: T, cuts: readonly number[]): T[] {
  const places = [0, ...cuts.map((n) => n % (data.length + 1)).toSorted((a, b) => a - b), data.length];
  return places.slice(1).map((end, i) => data.slice(places[i], end) as T);
}
const cuts = fc.array(fc.nat(10_000), { maxLength: 20 });

t.test('APT messages are the same however they are cut', async (t) => {
  const text =
    '600 URI Acquire\nURI: a\nfilename:  /b \nSigned-By:\n one\n two\n\n\n601 Configuration\r\nConfig-Item: x=1\r\nConfig-Item: y=2\r\n\r\n';
  const whole = new AptMessageReader().push(text);
  t.equal(whole.length, 2);
  t.equal(whole[0] && field(whole[0], 'filename'), '/b');
  t.equal(whole[0] && field(whole[0], 'signed-by'), '\none\ntwo');
  t.equal(whole[1]?.fields.length, 2, 'fields may stand more than once');
  const unix = text.replaceAll('\r', '');
  fc.assert(
    fc.property(cuts, (at) => {
      const reader = new AptMessageReader();
      t.same(
        cut(unix, at).flatMap((part) => reader.push(part)),
        whole,
      );
    }),
  );
});

t.test('what is no APT message is refused', async (t) => {
  for (const text of ['GET / HTTP/1.1\n\n', 'x\n\n', '6000 URI\n\n', 'x'.repeat(5_000_000)]) {
    t.throws(() => new AptMessageReader().push(text), text.slice(0, 20));
  }
});

t.test('no value ends its field', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const text = formatAptMessage('400 URI Failure', { Message: value, After: 'x' });
      const [message] = new AptMessageReader().push(text);
      t.ok(message !== undefined && message.fields.length === (value === '' ? 1 : 2));
    }),
  );
});

t.test('control messages survive the way, and nothing else does', async (t) => {
  const sha256 = 'a'.repeat(64) as Sha256;
  const wants = { want: [{ id: 1, target: '/m/x', sha256, size: 5 }], over: [7] };
  t.same(decodeMethodMessage(encodeControl(wants)), wants);
  const told = {
    ready: [1, 2],
    failed: [{ id: 3, code: 'NOT_FOUND' as const, message: 'x' }],
    figures: { peers: 1, fromPeers: 2, fromMirror: 3 },
  };
  t.same(decodeDaemonMessage(encodeControl(told)), told);
  t.same(decodeDaemonMessage('{"news":1}'), {}, 'fields of later versions are passed over');
  for (const line of [
    ...['', 'x', '1', 'null', '[]', '{"want":{}}', '{"want":[1]}', '{"over":[1.5]}', '{"over":[-1]}'],
    `{"want":[{"id":1,"target":"m","sha256":"${sha256}","size":1}]}`,
    '{"want":[{"id":1,"target":"/m","sha256":"a","size":1}]}',
    `{"over":[${Array.from({ length: 300 }, () => 1).join()}]}`,
  ]) {
    t.throws(() => decodeMethodMessage(line), ControlError, line.slice(0, 60));
  }
  for (const line of ['{"ready":["1"]}', '{"failed":[{"id":1,"code":"toString","message":""}]}', '{"figures":{}}']) {
    t.throws(() => decodeDaemonMessage(line), ControlError, line);
  }
  t.throws(() => new LineReader().push('x'.repeat(5_000_000)), ControlError);
});

interface Read {
  answers: Answer[];
  body: string;
  ended: number;
  rest: string;
}

function read(parts: readonly Buffer[]): Read {
  const seen: Read = { answers: [], body: '', ended: 0, rest: '' };
  const reader = new AnswerReader({
    head: (answer) => seen.answers.push(answer),
    body: (chunk) => (seen.body += chunk.toString('latin1')),
    end: () => (seen.ended += 1),
  });
  for (const part of parts) seen.rest += reader.push(part).toString('latin1');
  return seen;
}

t.test('HTTP answers are the same however they are cut', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello', 'hello'],
    ['HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0\r\nTrailer: x\r\n\r\n', 'hello'],
    ['HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', ''],
    ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', ''],
  ];
  for (const [text, body] of cases) {
    fc.assert(
      fc.property(cuts, (at) => {
        const seen = read(cut(Buffer.from(`${text}next`), at));
        t.equal(seen.body, body);
        t.equal(seen.ended, 1);
        t.equal(seen.rest, 'next', 'what follows is no part of it');
      }),
    );
  }
});

t.test('HTTP that could be read in two ways is refused', async (t) => {
  for (const head of [
    'SSH-2.0-x',
    'HTTP/1.0 200 OK\r\nContent-Length: 1',
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2',
    'HTTP/1.1 200 OK\r\nContent-Length: +1',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked',
    'HTTP/1.1 200 OK\r\nContent-Length : 1',
    'HTTP/1.1 200 OK\r\n Content-Length: 1',
  ]) {
    t.throws(() => read([Buffer.from(`${head}\r\n\r\nx`)]), AnswerMalformed, head);
  }
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const body of ['x\r\n', '-1\r\n', '1\r\nab\r\n', '1\na\r\n', '0'.repeat(2000)]) {
    t.throws(() => read([Buffer.from(chunked + body)]), AnswerMalformed, body.slice(0, 20));
  }
  t.throws(() => read([Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`)]), AnswerMalformed);
});

t.test('debtorrent URIs', async (t) => {
  t.same(parseDebtorrentUri('debtorrent://localhost/m.example/a%2bb', true), {
    ...{ host: 'localhost', port: 9988, target: '/m.example/a%2bb', direct: 'http://m.example/a%2bb' },
  });
  t.match(parseDebtorrentUri('debtorrent://[::1]:1/HTTPS///m.example:8443/a', true), {
    ...{ host: '::1', port: 1, direct: 'https://m.example:8443/a' },
  });
  t.match(parseDebtorrentUri('debtorrent://localhost/m.example/a b', false), { target: '/m.example/a%20b' });
  for (const uri of [
    'debtorrent://h/m/a b',
    'debtorrent://h/m/\n',
    'debtorrent://h',
    'debtorrent://a@h/m/x',
    'http://h/m/x',
  ]) {
    t.throws(() => parseDebtorrentUri(uri, true), uri);
  }
});

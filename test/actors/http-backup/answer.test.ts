import fc from 'fast-check';
import t from 'tap';

import type { MirrorUrl } from '../../../src/core/ids.ts';
import type { RangeJob } from '../../../src/actors/source.ts';
import { readAnswer, type Headers } from '../../../src/actors/http-backup/answer.ts';

const NOW = Date.parse('Sun, 22 Nov 2026 12:00:00 GMT');
const whole: RangeJob = { id: 1, url: 'http://ftp.us.debian.org/f.deb' as MirrorUrl, path: '', start: 0, maxSize: 1e9 };

function read(job: Partial<RangeJob>, status: number, headers: Headers = {}) {
  return readAnswer({ ...whole, ...job }, status, headers, NOW);
}
const kind = (answer: ReturnType<typeof read>) => ('body' in answer ? 'body' : answer.outcome.kind);
const code = (answer: ReturnType<typeof read>) =>
  'outcome' in answer && answer.outcome.kind === 'failed' ? answer.outcome.code : undefined;

t.test('a transfer coding that nobody undoes is no file', (t) => {
  for (const coding of ['gzip, chunked', 'gzip', ['chunked', 'gzip'], 'x-odd']) {
    t.equal(code(read({}, 200, { 'transfer-encoding': coding })), 'MIRROR_PROTOCOL', String(coding));
  }
  const range = { 'content-range': 'bytes 5-9/20', 'transfer-encoding': 'gzip, chunked' };
  t.equal(code(read({ start: 5, end: 10 }, 206, range)), 'MIRROR_PROTOCOL');
  t.equal(kind(read({}, 200, { 'transfer-encoding': 'Chunked' })), 'body');
  t.equal(kind(read({}, 200, { 'transfer-encoding': 'identity' })), 'body');
  t.end();
});

t.test('statuses are final, may pass, or are nonsense', (t) => {
  for (const [status, expected, transient] of [
    [404, 'NOT_FOUND', false],
    [410, 'GONE', false],
    [403, 'FORBIDDEN', false],
    [401, 'FORBIDDEN', false],
    [500, 'MIRROR_ERROR', true],
    [503, 'MIRROR_ERROR', true],
    [429, 'MIRROR_ERROR', true],
    [204, 'MIRROR_PROTOCOL', false],
    [304, 'MIRROR_PROTOCOL', false],
    [206, 'MIRROR_PROTOCOL', true],
    [999, 'MIRROR_PROTOCOL', false],
  ] as const) {
    t.match(read({}, status), { outcome: { kind: 'failed', code: expected, transient } }, String(status));
  }
  t.equal(kind(read({ revalidate: { etag: '"a"' } }, 304)), 'not-modified');
  t.match(read({}, 503, { 'retry-after': '7' }), { outcome: { retryAfterMs: 7000 } });
  t.match(read({}, 503, { 'retry-after': '999999' }), { outcome: { retryAfterMs: 60_000 } });
  t.match(read({}, 503, { 'retry-after': new Date(NOW + 3000).toUTCString() }), { outcome: { retryAfterMs: 3000 } });
  t.end();
});

t.test('a 200 for a range is no range, or another file where If-Range was sent', (t) => {
  t.equal(kind(read({ start: 5 }, 200, { 'content-length': '10' })), 'no-ranges');
  t.equal(kind(read({ start: 5, ifRange: '"a"' }, 200, { 'content-length': '10' })), 'changed');
  t.equal(kind(read({ end: 5, size: 10 }, 200, { 'content-length': '10' })), 'no-ranges');
  t.match(read({ end: 10, size: 10 }, 200, { 'content-length': '10' }), { body: { start: 0, end: 10, whole: true } });
  t.end();
});

t.test('a 206 is taken only if it is what was asked for', (t) => {
  const job = { start: 5, end: 10, size: 20 };
  t.match(read(job, 206, { 'content-range': 'bytes 5-9/20', 'content-length': '5' }), { body: { start: 5, end: 10 } });
  t.match(read(job, 206, { 'content-range': 'bytes 5-7/*' }), { body: { start: 5, end: 8 } }, 'less is fine');
  for (const range of [
    'bytes 4-9/20',
    'bytes 5-10/20',
    'bytes 6-9/20',
    'bytes 5-4/20',
    'bytes */20',
    'lines 5-9/20',
    '',
  ]) {
    t.equal(code(read(job, 206, { 'content-range': range })), 'MIRROR_PROTOCOL', range);
  }
  t.equal(code(read(job, 206, { 'content-range': 'bytes 5-9/20', 'content-length': '6' })), 'MIRROR_PROTOCOL');
  t.equal(code(read(job, 206, { 'content-range': 'bytes 5-9/20', 'content-encoding': 'gzip' })), 'MIRROR_PROTOCOL');
  t.equal(kind(read(job, 206, { 'content-range': 'bytes 5-9/21' })), 'changed', 'a file of another size');
  t.equal(kind(read(job, 416)), 'changed');
  t.equal(code(read({}, 416)), 'MIRROR_PROTOCOL');
  const all = { 'content-range': 'bytes */5' };
  t.match(read({ start: 5 }, 416, all), { outcome: { kind: 'done', end: 5, info: { size: 5 } } });
  for (const other of [{ start: 6 }, { start: 5, size: 9 }, { start: 5, ifRange: '"a"' }]) {
    t.equal(kind(read(other, 416, all)), 'changed', JSON.stringify(other));
  }
  t.end();
});

t.test('a range of a new file shows by its validators though If-Range was ignored', (t) => {
  const range = { 'content-range': 'bytes 5-9/20' };
  t.equal(kind(read({ start: 5, ifRange: '"a"' }, 206, { ...range, etag: '"b"' })), 'changed');
  t.equal(kind(read({ start: 5, ifRange: '"a"' }, 206, { ...range, etag: '"a"' })), 'body');
  const [then, later] = [new Date(NOW - 1e6).toUTCString(), new Date(NOW).toUTCString()];
  t.equal(kind(read({ start: 5, ifRange: then }, 206, { ...range, 'last-modified': later })), 'changed');
  t.equal(kind(read({ start: 5, ifRange: then }, 206, { ...range, 'last-modified': then })), 'body');
  t.end();
});

t.test('sizes that contradict the index or the limit are refused', (t) => {
  t.equal(code(read({ size: 10 }, 200, { 'content-length': '11' })), 'HASH_MISMATCH');
  t.equal(code(read({ maxSize: 10 }, 200, { 'content-length': '11' })), 'TOO_LARGE');
  for (const length of ['-5', '1e3', '99999999999999999999', '', ' 5', '5, 5']) {
    t.equal(code(read({}, 200, { 'content-length': length })), 'MIRROR_PROTOCOL', `'${length}'`);
  }
  t.end();
});

t.test('gzip on the fly is undone, gzip that is the file is not', (t) => {
  const gzip = { 'content-encoding': 'gzip' };
  const decode = (job: Partial<RangeJob>, headers: Headers) => {
    const answer = read(job, 200, headers);
    return 'body' in answer ? answer.body.decode : answer;
  };
  const gz = { url: 'http://ftp.us.debian.org/Packages.gz' as MirrorUrl };
  t.equal(decode({}, gzip), 'gzip');
  t.equal(decode({ size: 100 }, { ...gzip, 'content-length': '50' }), 'gzip');
  t.equal(decode({ size: 100 }, { ...gzip, 'content-length': '100' }), undefined);
  t.equal(decode(gz, gzip), undefined);
  t.equal(decode({ ...gz, size: 100 }, gzip), undefined, 'chunked, and labelled for its name');
  t.equal(decode({ ...gz, size: 100 }, { ...gzip, 'content-length': '100' }), undefined);
  t.equal(decode({ ...gz, size: 100 }, { ...gzip, 'content-length': '90' }), 'gzip');
  t.equal(decode({}, { 'content-encoding': 'identity' }), undefined);
  t.equal(code(read({}, 200, { 'content-encoding': 'rot13' })), 'MIRROR_PROTOCOL');
  t.end();
});

t.test('what is passed on of the headers is safe to send', (t) => {
  const headers = { 'content-type': 'a\rb', etag: 'no quotes', 'last-modified': 'yesterday' };
  t.strictSame(read({}, 200, headers), {
    body: {
      info: { storable: true, freshMs: 0 },
      start: 0,
      end: undefined,
      whole: true,
      decode: undefined,
    },
  });
  const asctime = read({}, 200, { 'last-modified': 'Sun Nov  6 08:49:37 1994' });
  t.match(
    asctime,
    { body: { info: { lastModified: 'Sun, 06 Nov 1994 08:49:37 GMT' } } },
    'old forms become the new one',
  );
  t.end();
});

t.test('nothing throws for arbitrary headers, and a body never begins elsewhere than asked', (t) => {
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.tuple(fc.nat(200), fc.nat(200), fc.nat(200)).map(([a, b, c]) => `bytes ${a}-${b}/${c}`),
    fc.nat(300).map(String),
    fc.constantFrom('gzip', 'identity', 'W/"a"', '"a"', 'no-store', 'max-age=5', 'Sun, 06 Nov 1994 08:49:37 GMT'),
  );
  const value = fc.oneof(text, fc.array(text, { maxLength: 3 }));
  const names = ['content-length', 'content-range', 'content-encoding', 'etag', 'last-modified', 'retry-after'];
  const headers = fc.dictionary(fc.constantFrom(...names, 'cache-control', 'age', 'date', 'expires', 'vary'), value);
  const job = fc.record(
    {
      start: fc.nat(100),
      end: fc.integer({ min: 101, max: 200 }),
      size: fc.integer({ min: 200, max: 300 }),
      ifRange: fc.constantFrom('"a"', 'Sun, 06 Nov 1994 08:49:37 GMT'),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(job, fc.constantFrom(200, 206, 304, 404, 416, 500), headers, (part, status, given) => {
      const answer = read(part, status, given);
      if ('outcome' in answer) return true;
      const { start, end } = answer.body;
      return (
        start === (part.start ?? 0) && (end === undefined || (end > start && end <= 1e9) || (end === 0 && start === 0))
      );
    }),
    { numRuns: 3000 },
  );
  t.end();
});

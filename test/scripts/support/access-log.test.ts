import t from 'tap';
import { parseAccessLog, sentBytes } from '../../../scripts/support/access-log.ts';

const LOG = [
  '1763845200.123 192.0.2.11 200 1000 "/debian/pool/main/h/hello/hello_2.10-3_amd64.deb" "-"',
  '1763845200.200 192.0.2.12 206 24 "/debian/pool/main/g/g%2B%2B/g++_4_amd64.deb" "bytes=0-23"',
  '1763845200.300 192.0.2.12 200 500 "/debian/dists/bookworm/InRelease" "-"',
  '1763845200.400 192.0.2.12 304 0 "/debian/dists/bookworm/InRelease" "-"',
  '1763845200.500 192.0.2.13 404 153 "/debian/pool/main/g/gone/gone_1_all.deb" "-"',
  '',
].join('\n');

t.test('bytes of packages are counted apart from indexes and errors', async (t) => {
  t.same(sentBytes(parseAccessLog(LOG)), { packages: 1024, others: 653 });
});

t.test('an entry says who asked for what, which part of it, and when the answer ended', async (t) => {
  t.same(parseAccessLog(LOG)[0], {
    at: 1763845200.123,
    client: '192.0.2.11',
    status: 200,
    bytes: 1000,
    path: '/debian/pool/main/h/hello/hello_2.10-3_amd64.deb',
    range: '-',
  });
});

t.test('a line that is still being written is left out', async (t) => {
  t.equal(parseAccessLog(LOG.slice(0, -20)).length, 4);
  t.same(parseAccessLog(''), []);
});

t.test('a line of another format is an error, not a zero', async (t) => {
  t.throws(() => parseAccessLog('127.0.0.1 - - "GET / HTTP/1.1" 200 5\n'), /not a line of the access log/);
});

t.test('quotes and spaces in a path do not shift the fields', async (t) => {
  const [entry] = parseAccessLog('1.000 192.0.2.11 200 7 "/a "b" 200 9.deb" "bytes=0-23"\n');
  t.match(entry, { bytes: 7, path: '/a "b" 200 9.deb', range: 'bytes=0-23' });
});

import t from 'tap';
import { countTraffic } from '../../scripts/loadtest/mirror.ts';

const entry = (path: string, bytes: number, status = 200) => ({
  at: 0,
  client: '127.0.0.1',
  status,
  bytes,
  path,
  range: '-',
});

t.test('copies are bytes of packages by what was asked for, ranges added up, names decoded', (t) => {
  const sizes = new Map([
    ['/debian/pool/a++.deb', 100],
    ['/debian/pool/b.deb', 300],
    ['/debian/pool/c.deb', 1000],
  ]);
  const log = [
    entry('/debian/pool/a%2b%2b.deb', 100),
    entry('/debian/pool/b.deb', 200, 206),
    entry('/debian/pool/b.deb', 100, 206),
    entry('/debian/pool/b.deb', 300),
    entry('/debian/pool/b.deb', 50, 503),
    entry('/debian/dists/x/InRelease', 70),
    entry('/%ff', 9, 404),
  ];
  t.same(countTraffic(log, sizes), {
    requests: 7,
    packageBytes: 700,
    otherBytes: 129,
    distinctBytes: 400,
    copies: 1.75,
    errors: 2,
  });
  t.equal(countTraffic([], sizes).copies, undefined);
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import type { InfoHash } from '../../../src/core/ids.ts';
import {
  blindLanId,
  DATAGRAM_LIMIT,
  encodeLanAnnouncements,
  parseLanAnnouncement,
} from '../../../src/core/swarm/lan-announcement.ts';

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString('hex'));
const COOKIE = 'c0'.repeat(16);
const ID = '11'.repeat(20) as InfoHash;
const text = (lines: readonly string[]) => Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`, 'latin1');
const GOOD = [
  'BT-SEARCH * HTTP/1.1',
  'Host: 239.192.152.143:6771',
  'Port: 9989',
  `Infohash: ${ID}`,
  `cookie: ${COOKIE}`,
];

t.test('what is announced is read back, in datagrams of bounded size', async () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(hex(20), { minLength: 1, maxLength: 100 }),
      fc.integer({ min: 1024, max: 65535 }),
      hex(16),
      (ids, port, cookie) => {
        const torrents = ids as InfoHash[];
        const datagrams = encodeLanAnnouncements('[ff15::efc0:988f]:6771', port, cookie, torrents);
        const heard = datagrams.map(parseLanAnnouncement);
        const all = heard.flatMap((one) => one?.blinded ?? []);
        return (
          datagrams.every(({ length }) => length <= DATAGRAM_LIMIT) &&
          heard.every((one) => one?.port === port && one.cookie === cookie) &&
          all.join() === torrents.map((id) => blindLanId(id, cookie)).join()
        );
      },
    ),
  );
});

t.test('an announcement gives no torrent away, and never looks the same twice', async (t) => {
  const [one] = encodeLanAnnouncements('g', 9989, COOKIE, [ID]) as [Buffer];
  t.notMatch(one.toString(), ID);
  t.not(blindLanId(ID, COOKIE), blindLanId(ID, 'c1'.repeat(16)));
  t.equal(blindLanId(ID, '00'.repeat(16)), '569dca7a74b99a4c6b64d339d589e2be031ae99a', 'as any other implementation');
});

t.test('nothing is announced of no torrents', async (t) => t.same(encodeLanAnnouncements('g', 9989, COOKIE, []), []));

t.test('case, order and unknown headers do not matter', async (t) => {
  const [first, ...rest] = GOOD as [string, ...string[]];
  t.ok(parseLanAnnouncement(text([first, 'X-New: 1', ...rest.map((line) => line.toUpperCase()).toReversed()])));
});

t.test('what is malformed is refused', async (t) => {
  const without = (start: string) => text(GOOD.filter((line) => !line.startsWith(start)));
  const changed = (start: string, line: string) => text(GOOD.map((old) => (old.startsWith(start) ? line : old)));
  t.ok(parseLanAnnouncement(text(GOOD)));
  for (const start of ['BT', 'Port', 'Infohash', 'cookie'])
    t.equal(parseLanAnnouncement(without(start)), undefined, start);
  for (const port of ['', '0', '22', '65536', '1e4', '-1', '99999999999', '9989 9989', '0x2705'])
    t.equal(parseLanAnnouncement(changed('Port', `Port: ${port}`)), undefined, port);
  for (const id of ['', 'x', '11', `${ID}11`, `${ID.slice(2)}zz`])
    t.equal(parseLanAnnouncement(changed('Infohash', `Infohash: ${id}`)), undefined, id);
  for (const cookie of ['', 'name-1234', `${COOKIE}00`])
    t.equal(parseLanAnnouncement(changed('cookie', `cookie: ${cookie}`)), undefined, 'of another client');
  t.equal(parseLanAnnouncement(text([...GOOD, 'Port: 9990'])), undefined, 'two ports');
  t.equal(parseLanAnnouncement(text([...GOOD, `cookie: ${COOKIE}`])), undefined, 'two cookies');
  t.equal(parseLanAnnouncement(Buffer.alloc(DATAGRAM_LIMIT + 1, text(GOOD))), undefined, 'too long');
});

t.test('no datagram makes the parser throw', async () => {
  const good = text(GOOD);
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 })
    .map((changes) => changes.reduce((copy, [at, byte]) => (copy.set([byte], at), copy), Buffer.from(good)));
  const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
  const lines = fc
    .array(fc.oneof(fc.constantFrom(...GOOD), fc.string(), fc.constantFrom(':', '\r', '\n', ' : ')), { maxLength: 60 })
    .map((all) => Buffer.from(`BT-SEARCH * HTTP/1.1\r\n${all.join('\r\n')}`, 'latin1'));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 1500 }), mutated, cut, lines), (datagram) => {
      const heard = parseLanAnnouncement(datagram);
      return heard === undefined || (heard.port >= 1024 && heard.port <= 65535 && heard.blinded.length <= 40);
    }),
    { numRuns: 1000 },
  );
});

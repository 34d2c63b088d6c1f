import fc from 'fast-check';
import t from 'tap';

import { Admission } from '../../../../src/actors/swarm/link/admission.ts';
import { Allowance } from '../../../../src/actors/swarm/link/allowance.ts';
import { BanTable } from '../../../../src/actors/swarm/link/ban-table.ts';
import { replaces } from '../../../../src/actors/swarm/link/duplicate-rule.ts';
import { decodeExchange, encodeExchange } from '../../../../src/actors/swarm/link/exchange-message.ts';
import { LineLog } from '../../../../src/actors/swarm/link/line-log.ts';
import { LINK_LIMITS } from '../../../../src/actors/swarm/link/link-limits.ts';
import { canonicalAddress } from '../../../../src/core/swarm/peer-address.ts';
import { ManualClock } from '../../../kernel/fixtures/manual-clock.ts';

const HOUR = 3_600_000;

t.test('both ends keep the same one of two connections, whichever each saw first', (t) => {
  const [small, large] = ['1'.repeat(40), '2'.repeat(40)];
  fc.assert(
    fc.property(fc.nat(4999), fc.nat(4999), fc.boolean(), fc.boolean(), (atA, atB, aFirst, bFirst) => {
      // One was opened by the small one, the other by the large one; each end has its own times and order.
      const kept = (own: string, peer: string, bySmallAt: number, byLargeAt: number, smallFirst: boolean) => {
        const bySmall = { openedAt: bySmallAt, incoming: own === large };
        const byLarge = { openedAt: byLargeAt, incoming: own === small };
        const [old, fresh] = smallFirst ? [bySmall, byLarge] : [byLarge, bySmall];
        return replaces(fresh, old, own, peer, 5000) ? fresh === bySmall : old === bySmall;
      };
      return kept(small, large, atA + 1, atB + 1, aFirst) && kept(large, small, atB + 1, atA + 1, bFirst);
    }),
  );
  t.end();
});

t.test('an older link stays', (t) => {
  const old = { openedAt: 0, incoming: false };
  t.equal(replaces({ openedAt: 5000, incoming: true }, old, '2', '1', 5000), false);
  t.equal(replaces({ openedAt: 4998, incoming: true }, old, '2', '1', 4999), true);
  t.equal(replaces({ openedAt: 4998, incoming: false }, old, '2', '1', 4999), false, 'opened by the same side');
  t.end();
});

t.test('a ban is for an address and a peer id, for an hour; the third is for the address', (t) => {
  const bans = new BanTable(HOUR);
  const address = '192.0.2.1';
  bans.ban({ address, peerId: 'a' }, 'wrong bytes', 0);
  bans.ban({ address, peerId: 'a' }, 'wrong bytes', 0);
  t.equal(bans.total, 1);
  t.equal(bans.reason(address, 'a', HOUR - 1), 'wrong bytes');
  t.equal(bans.reason(address, 'a', HOUR), undefined);
  t.equal(bans.reason(address, 'b', 1), undefined);
  t.equal(bans.reason('192.0.2.2', 'a', 1), undefined);
  bans.ban({ address, peerId: 'b' }, 'wrong bytes', HOUR / 2);
  t.equal(bans.reason(address, undefined, HOUR / 2), undefined);
  bans.ban({ address, peerId: 'c' }, 'wrong bytes', HOUR - 1);
  t.match(bans.reason(address, undefined, HOUR), /too many peers/);
  t.equal(bans.reason(address, undefined, 2 * HOUR), undefined, 'an hour after the last one');
  t.end();
});

t.test('the third offence is a ban; new peer ids do not help for ever', (t) => {
  const bans = new BanTable(HOUR);
  const peer = { address: '192.0.2.1', peerId: 'a' };
  t.strictSame(
    [1, 2, 3].map((now) => bans.offence(peer, 'flood', now)),
    [false, false, true],
  );
  t.equal(bans.reason(peer.address, undefined, 4), undefined);
  for (let i = 0; i < 6; i++) bans.offence({ ...peer, peerId: `new ${i}` }, 'flood', 5);
  t.match(bans.reason(peer.address, undefined, 6), /too many/);
  t.end();
});

t.test('the tables of bans forget the oldest', (t) => {
  const bans = new BanTable(HOUR);
  for (let i = 0; i < 10_000; i++) bans.ban({ address: `192.0.2.${i}`, peerId: 'a' }, 'x', 0);
  t.equal(bans.reason('192.0.2.0', 'a', 1), undefined);
  t.equal(bans.reason('192.0.2.9999', 'a', 1), 'x');
  t.end();
});

t.test('an address that comes too often waits; others do not', (t) => {
  const clock = new ManualClock();
  const admission = new Admission({ limits: LINK_LIMITS, clock, bans: new BanTable(HOUR) });
  const tries = (address: string, count: number) =>
    Array.from({ length: count }, () => admission.refuseIncoming(address)).filter((fault) => fault === undefined)
      .length;
  t.equal(tries('192.0.2.1', 1000), 32);
  t.equal(tries('192.0.2.2', 1), 1);
  clock.advance(1000);
  t.equal(tries('192.0.2.1', 1000), 2);
  for (let i = 0; i < 8; i++) admission.began('192.0.2.3', true);
  t.match(admission.refuseIncoming('192.0.2.3'), { kind: 'flood', message: '8 links with 192.0.2.3 are open' });
  t.match(admission.refuseOutgoing('192.0.2.3'), { kind: 'flood' });
  admission.ended('192.0.2.3', true, false);
  t.equal(admission.refuseIncoming('192.0.2.3'), undefined);
  t.end();
});

t.test('however many come, this side can dial', (t) => {
  const admission = new Admission({ limits: LINK_LIMITS, clock: new ManualClock(), bans: new BanTable(HOUR) });
  for (let i = 0; i < 200; i++) {
    if (i >= 32) admission.linked(true);
    t.equal(admission.refuseIncoming(`192.0.2.${i}`), undefined);
    admission.began(`192.0.2.${i}`, true);
  }
  t.match(admission.refuseIncoming('198.51.100.1'), { message: '200 links are open' });
  t.equal(admission.refuseOutgoing('198.51.100.1'), undefined);
  admission.began('198.51.100.1', false);
  admission.linked(false);
  admission.ended('192.0.2.0', true, true);
  t.match(admission.refuseIncoming('198.51.100.2'), { message: '32 handshakes are under way' });
  t.equal(admission.refuseOutgoing('198.51.100.2'), undefined);
  admission.linked(true);
  t.equal(admission.refuseIncoming('198.51.100.2'), undefined);
  t.end();
});

t.test('an IPv6 network of 64 bits does not get everything, however many addresses it has', (t) => {
  const admission = new Admission({ limits: LINK_LIMITS, clock: new ManualClock(), bans: new BanTable(HOUR) });
  for (let i = 0; i < 64; i++) {
    t.equal(admission.refuseIncoming(`2001:db8:1:2:${i}::1`), undefined);
    admission.began(`2001:db8:1:2:${i}::1`, true);
    admission.linked(true);
  }
  t.match(admission.refuseIncoming('2001:db8:1:2:ffff::1'), { message: '64 links with 2001:db8:1:2::/64 are open' });
  t.equal(admission.refuseIncoming('2001:db8:1:3::1'), undefined);
  admission.ended('2001:db8:1:2:5::1', true, true);
  t.equal(admission.refuseIncoming('2001:db8:1:2:ffff::1'), undefined);
  t.end();
});

t.test('an allowance gives its burst and then its rate, and no more when the clock goes back', (t) => {
  const allowance = new Allowance(10, 2, 1000);
  t.equal(allowance.take(10, 1000), true);
  t.equal(allowance.take(1, 1000), false);
  t.equal(allowance.take(2, 2000), true);
  t.equal(allowance.take(1, 500), false);
  t.equal(allowance.take(1, 1000), true);
  allowance.giveBack(100);
  t.equal(allowance.take(11, 1000), false);
  t.equal(allowance.take(10, 1000), true);
  t.end();
});

t.test('addresses survive peer exchange; names, and what is too much, are left out', (t) => {
  const address = fc.record({
    host: fc.oneof(fc.ipV4(), fc.constantFrom('::1', '2001:db8::5', 'fe80::1')),
    port: fc.integer({ min: 1, max: 65_535 }),
  });
  fc.assert(
    fc.property(fc.array(address, { maxLength: 50 }), (added) => {
      const text = (list: typeof added) => list.map(({ host, port }) => `${host} ${port}`).toSorted();
      const back = decodeExchange(encodeExchange(added)).map(({ host, port }) => ({
        host: canonicalAddress(host),
        port,
      }));
      t.strictSame(text(back), text(added));
    }),
    { numRuns: 50 },
  );
  const many = Array.from({ length: 80 }, (_, port) => ({ host: '192.0.2.1', port }));
  t.equal(decodeExchange(encodeExchange([{ host: 'a.example', port: 1 }, ...many])).length, 50);
  t.strictSame(decodeExchange(Buffer.from('d5:added5:abcdee')), [], 'an odd list is none');
  t.throws(() => decodeExchange(Buffer.from('l-3:e')), { code: 'PEER_PROTOCOL' });
  t.end();
});

t.test('thousands of lines become one that counts them', (t) => {
  const clock = new ManualClock();
  const said: [string, object, string][] = [];
  const note = (level: string) => (fields: object, message: string) => void said.push([level, fields, message]);
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const lines = new LineLog({ log, clock });
  for (let i = 0; i < 5000; i++) lines.say('warn', {}, 'refused');
  for (let i = 0; i < 5000; i++) lines.say('debug', {}, 'ended');
  t.equal(said.length, 100);
  clock.advance(10_000);
  t.strictSame(said.at(-1)?.slice(0, 2), ['warn', { lines: 4950 }]);
  lines.close();
  t.equal(said.length, 101);
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { cleanDhtMessage, DHT_DATAGRAM_LIMIT } from '../../../src/core/swarm/dht-message.ts';

const clean = (text: string) => cleanDhtMessage(Buffer.from(text, 'latin1'))?.toString('latin1');
const ID = 'i'.repeat(20);

t.test('what is needed passes as it is', async (t) => {
  for (const message of [
    `d1:ad2:id20:${ID}e1:q4:ping1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}6:target20:${ID}e1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}9:info_hash20:${ID}e1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}12:implied_porti1e9:info_hash20:${ID}4:porti5e5:token3:abce1:q13:announce_peer1:t2:aa1:y1:qe`,
    `d1:rd2:id20:${ID}5:nodes26:${'n'.repeat(26)}5:token3:abc6:valuesl6:abcdefee1:t2:aa1:y1:re`,
    'd1:eli203e5:errore1:t2:aa1:y1:ee',
  ])
    t.equal(clean(message), message);
});

t.test('what is not needed is left out', async (t) => {
  const message = `d1:ad2:id20:${ID}8:toStringi1ee2:ip6:abcdef1:q4:ping2:roi1e1:t2:aa1:v4:LT021:y1:qe`;
  t.equal(clean(message), `d1:ad2:id20:${ID}e1:q4:ping1:t2:aa1:y1:qe`);
  const values = `d1:rd2:id20:${ID}5:nodes3:abc6:valuesl6:abcdefi5e3:abcee1:t2:aa1:y1:re`;
  t.equal(clean(values), `d1:rd2:id20:${ID}6:valuesl6:abcdefee1:t2:aa1:y1:re`);
});

t.test('what is malformed, not known or too long is dropped', async (t) => {
  for (const message of [
    '',
    'i1e',
    'de',
    'd1:yd8:toStringi1eee',
    `d1:ad2:id19:${ID.slice(1)}e1:q4:ping1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}6:targeti5ee1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}9:info_hashi5ee1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}9:info_hash20:${ID}4:porti70000e5:token3:abce1:q13:announce_peer1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}e1:q3:put1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${ID}e1:q4:ping1:t0:1:y1:qe`,
    `d1:rd2:id20:${ID}e1:t3:aaa1:y1:re`,
    `d1:ad2:id20:${ID}1:x1500:${'x'.repeat(DHT_DATAGRAM_LIMIT)}e1:q4:ping1:t2:aa1:y1:qe`,
  ])
    t.equal(clean(message), undefined, message.slice(0, 80));
});

t.test('whatever comes, what passes is clean already', async () => {
  const part = fc.constantFrom(
    'd',
    'e',
    'l',
    `20:${ID}`,
    '2:id',
    '1:a',
    '1:q',
    '1:r',
    '1:t2:aa',
    '1:y1:q',
    '1:y1:r',
    '4:ping',
    'i5e',
    '5:nodes',
    '5:token',
    '6:values',
    '9:info_hash',
    '1:e',
  );
  const likely = fc.array(part, { maxLength: 20 }).map((all) => Buffer.from(`d${all.join('')}e`));
  const any = fc.uint8Array({ maxLength: 1600 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(likely, any), (bytes) => {
      const message = cleanDhtMessage(bytes);
      return message === undefined || cleanDhtMessage(message)?.equals(message) === true;
    }),
    { numRuns: 2000 },
  );
});

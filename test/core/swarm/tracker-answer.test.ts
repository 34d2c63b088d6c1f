import fc from 'fast-check';
import t from 'tap';
import { parseTrackerAnswer, PEERS_IN_ANSWER } from '../../../src/core/swarm/tracker-answer.ts';
import {
  announceRequest,
  connectRequest,
  parseUdpTrackerMessage,
} from '../../../src/core/swarm/udp-tracker-messages.ts';

const parse = (text: string) => parseTrackerAnswer(Buffer.from(text, 'latin1'));

t.test('compact IPv4 and IPv6 addresses, and lists of dictionaries, are read', async (t) => {
  t.same(
    parse(
      'd8:intervali900e5:peers6:\x08\x08\x08\x08\x27\x056:peers618:\x2a\x04\x4e\x42\0\0\0\0\0\0\0\0\0\0\x06\x44\x27\x05e',
    ),
    {
      kind: 'peers',
      intervalS: 900,
      peers: [
        { host: '8.8.8.8', port: 9989 },
        { host: '2a04:4e42:0:0:0:0:0:644', port: 9989 },
      ],
    },
  );
  t.same(parse('d5:peersld2:ip7:8.8.8.84:porti9989eed2:ip3:::14:porti5eei7eee'), {
    kind: 'peers',
    intervalS: undefined,
    peers: [
      { host: '8.8.8.8', port: 9989 },
      { host: '::1', port: 5 },
    ],
  });
});

t.test('no more than so many addresses are taken', async (t) => {
  const answer = parse(`d5:peers6000:${'x'.repeat(6000)}e`);
  t.equal(answer.kind === 'peers' && answer.peers.length, PEERS_IN_ANSWER);
});

t.test('words of a tracker are cut and cannot steer a terminal', async (t) => {
  const answer = parse(`d14:failure reason1000:\x1b[2J\r\n${'x'.repeat(994)}e`);
  t.match(answer, { kind: 'refused', reason: /^\?\[2J\?\?x{114}$/ });
});

t.test('no answer makes the parsers throw', async () => {
  const part = fc.constantFrom(
    'd',
    'e',
    'l',
    '5:peers',
    '6:peers6',
    '8:interval',
    'i5e',
    '6:abcdef',
    '7:abcdefg',
    '2:ip',
    '4:port',
    '14:failure reason',
  );
  const likely = fc.array(part, { maxLength: 20 }).map((all) => Buffer.from(`d${all.join('')}e`));
  const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(likely, any), fc.constantFrom<4 | 16>(4, 16), (bytes, length) => {
      const answer = parseTrackerAnswer(bytes);
      const transaction = bytes.length >= 8 ? bytes.readUInt32BE(4) : 0;
      parseUdpTrackerMessage(bytes, transaction, length);
      return answer.kind === 'peers' || /^[\x20-\x7e]{1,200}$/.test(answer.reason);
    }),
    { numRuns: 1000 },
  );
});

t.test('the datagrams of BEP 15', async (t) => {
  t.equal(connectRequest(0x01020304).toString('hex'), '00000417271019800000000001020304');
  const what = {
    infoHash: '11'.repeat(20),
    peerId: '22'.repeat(20),
    port: 9989,
    event: 'started',
    key: 7,
    wanted: 50,
  } as const;
  const request = announceRequest(Buffer.alloc(8, 9), 5, what).toString('hex');
  const [connection, rest] = ['09'.repeat(8), `${'11'.repeat(20)}${'22'.repeat(20)}`];
  const numbers = `${'00'.repeat(8)}0000000000000001${'00'.repeat(8)}`;
  t.equal(request, `${connection}0000000100000005${rest}${numbers}000000020000000000000007000000322705`);
  const answer = Buffer.from('00000000000000050102030405060708', 'hex');
  t.match(parseUdpTrackerMessage(answer, 5, 4), { kind: 'connected' });
  t.equal(parseUdpTrackerMessage(answer, 6, 4), undefined, 'of another transaction');
});

import { createHmac, randomBytes } from 'node:crypto';
import t from 'tap';
import { parseSwarmKey, tlsPsk } from '../../../src/core/swarm/psk.ts';

const HEX = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';

t.test('a key file is one line of 64 hexadecimal digits', async (t) => {
  const key = Buffer.from(HEX, 'hex');
  for (const content of [HEX, `${HEX}\n`, `  ${HEX}\r\n\n`, HEX.toUpperCase()]) t.same(parseSwarmKey(content), key);
});

t.test('anything else is refused, and the message does not give it away', async (t) => {
  const secret = randomBytes(32);
  const wrong = [
    '',
    '\n',
    HEX.slice(1),
    `${HEX}00`,
    `${HEX}\n${HEX}`,
    `0x${HEX.slice(2)}`,
    secret.toString('base64'),
    secret.toString('latin1'),
    `${HEX.slice(0, -1)}g`,
    '-----BEGIN PRIVATE KEY-----',
  ];
  for (const content of wrong) {
    try {
      parseSwarmKey(content);
      t.fail(`taken: ${content}`);
    } catch (error) {
      t.match(error, { code: 'CONFIG_INVALID', message: /64 hexadecimal digits/ });
      if (content.length > 10) t.notOk(String(error).includes(content.slice(0, 10)));
    }
  }
});

t.test('the key of TLS is derived from it, and is not it', async (t) => {
  const key = parseSwarmKey(HEX);
  t.same(tlsPsk(key), createHmac('sha256', key).update('debtorrent tls psk 1').digest());
  t.notSame(tlsPsk(key), key);
});

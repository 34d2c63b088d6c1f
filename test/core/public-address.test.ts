import fc from 'fast-check';
import t from 'tap';
import { isPublicAddress } from '../../src/core/public-address.ts';

t.test('addresses of the public Internet are public', async (t) => {
  for (const ip of [
    '151.101.2.132',
    '8.8.8.8',
    '2a04:4e42::644',
    '2001:67c:2564:a119::77',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ]) {
    t.ok(isPublicAddress(ip), ip);
  }
});

t.test('documentation networks protect nobody and count as public', async (t) => {
  for (const ip of ['192.0.2.1', '198.51.100.1', '203.0.113.80']) t.ok(isPublicAddress(ip), ip);
});

t.test('special addresses are not public', async (t) => {
  const special = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '2001:db8::1',
    '100::1',
    'fec0::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
  ];
  for (const ip of special) t.notOk(isPublicAddress(ip), ip);
});

t.test('a private IPv4 address inside an IPv6 address is not public', async (t) => {
  const wrapped = [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::c0a8:1',
    '64:ff9b:1::1',
  ];
  for (const ip of [...wrapped, '2002:7f00:1::', '2002:a00:1::1', '2001:0:1::1', '::127.0.0.1', '::ffff:0:127.0.0.1']) {
    t.notOk(isPublicAddress(ip), ip);
  }
});

t.test('what is no address is not public', async (t) => {
  for (const text of ['', 'ftp.de.debian.org', '8.8.8.8:80', '[2a04:4e42::644]', '8.8.8.8/32'])
    t.notOk(isPublicAddress(text), text);
});

t.test('a mapped address is as public as the IPv4 address inside', async () => {
  fc.assert(
    fc.property(
      fc.ipV4(),
      (ip) =>
        isPublicAddress(`::ffff:${ip}`) === isPublicAddress(ip) &&
        isPublicAddress(`64:ff9b::${ip}`) === isPublicAddress(ip),
    ),
  );
});

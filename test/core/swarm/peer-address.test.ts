import fc from 'fast-check';
import t from 'tap';
import {
  canonicalAddress,
  dialable,
  isOnLocalNetwork,
  scopeOf,
  type Via,
} from '../../../src/core/swarm/peer-address.ts';

const STRANGERS: readonly Via[] = ['tracker', 'dht', 'pex'];

t.test('scopes', async (t) => {
  const scopes = {
    loopback: ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'],
    'link-local': ['169.254.1.1', 'fe80::1', 'fe80::1%eth0'],
    private: ['10.0.0.1', '172.16.5.5', '192.168.1.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1'],
    public: ['8.8.8.8', '2a04:4e42::644', '192.0.2.1', '::ffff:8.8.8.8'],
    unusable: ['0.0.0.0', '255.255.255.255', '224.0.0.1', '240.0.0.1', '::', 'ff02::1', '2001:db8::1', 'x', '', 'a.b'],
  };
  for (const [scope, addresses] of Object.entries(scopes)) {
    for (const address of addresses) t.equal(scopeOf(address), scope, address);
  }
});

t.test('strangers may name public addresses and no service ports', async (t) => {
  for (const via of STRANGERS) {
    t.same(dialable({ host: '8.8.8.8', port: 9989 }, via, undefined), { host: '8.8.8.8', port: 9989 });
    for (const port of [0, -1, 1, 22, 80, 443, 1023, 65536, 1.5, NaN]) {
      t.equal(dialable({ host: '8.8.8.8', port }, via, '127.0.0.1'), undefined, `${port}`);
    }
  }
});

t.test('private addresses are believed only of who is near, loopback only of this machine', async (t) => {
  const said = (host: string, teller: string | undefined) => dialable({ host, port: 9989 }, 'pex', teller)?.host;
  t.equal(said('10.0.0.5', '10.0.0.1'), '10.0.0.5');
  t.equal(said('fd00::5', 'fe80::1%eth0'), 'fd00::5');
  t.equal(said('10.0.0.5', '8.8.8.8'), undefined);
  t.equal(said('::ffff:10.0.0.5', '8.8.8.8'), undefined);
  t.equal(said('10.0.0.5', undefined), undefined);
  t.equal(said('127.0.0.1', '10.0.0.1'), undefined);
  t.equal(said('127.0.0.1', '127.0.0.1'), '127.0.0.1');
  t.equal(said('fe80::1', '10.0.0.1'), undefined, 'means nothing without an interface');
  for (const host of ['0.0.0.0', '255.255.255.255', '224.0.0.1', 'ff02::1', 'localhost', 'example.org']) {
    t.equal(said(host, '127.0.0.1'), undefined, host);
  }
});

t.test('of the configuration anything is believed, of the local network the source of a datagram', async (t) => {
  t.same(dialable({ host: 'seed.example.org', port: 80 }, 'fixed', undefined), { host: 'seed.example.org', port: 80 });
  t.equal(dialable({ host: 'seed.example.org', port: 0 }, 'fixed', undefined), undefined);
  t.same(dialable({ host: 'fe80::1%eth0', port: 9989 }, 'lan', 'fe80::1%eth0'), { host: 'fe80::1%eth0', port: 9989 });
  t.equal(dialable({ host: '10.0.0.1', port: 22 }, 'lan', '10.0.0.1'), undefined);
});

t.test('the local network is what is not public, and the own subnets', async (t) => {
  const subnets = ['192.0.2.2/24', 'fd00::2/64', '2a04:4e42::1/64', '0.0.0.0/0', 'nonsense'];
  for (const ip of ['10.1.1.1', '127.0.0.1', 'fe80::9', '192.0.2.200', '2a04:4e42::77'])
    t.ok(isOnLocalNetwork(ip, subnets), ip);
  for (const ip of ['8.8.8.8', '2a04:4e43::77', '', 'x']) t.notOk(isOnLocalNetwork(ip, subnets), ip);
});

t.test('whatever a far stranger says, only public addresses come out, in one spelling', async () => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((ip) => `::ffff:${ip}`),
    fc.string(),
  );
  fc.assert(
    fc.property(host, fc.integer({ min: -1, max: 70_000 }), fc.constantFrom(...STRANGERS), (host, port, via) => {
      const address = dialable({ host, port }, via, '8.8.8.8');
      return (
        address === undefined ||
        (scopeOf(address.host) === 'public' && address.port >= 1024 && canonicalAddress(address.host) === address.host)
      );
    }),
  );
});

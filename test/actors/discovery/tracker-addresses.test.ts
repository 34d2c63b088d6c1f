/** Trackers whose names have several addresses. */
import dns from 'node:dns';
import t from 'tap';
import { addressesAre, farServer } from '../../support/far-server.ts';
import { until } from '../../support/process.ts';
import { find, freeUdpPort, newTorrent } from './fixtures/found.ts';

t.test('a tracker that is far away, and another address of its name where nobody listens', async (t) => {
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  Object.assign(dns, { lookup: addressesAre('127.0.0.1', '127.0.0.2') });
  const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nd8:intervali1800e5:peers0:e';
  const { port, wake } = await farServer(t, answer);
  setTimeout(wake, 600);
  const finding = find(t, 21_030, { trackers: [`http://tracker.example:${port}/announce`] });
  finding.torrents(newTorrent());
  const state = async () => (await finding.discovery.behaviour.status()).sources[0]?.state;
  await until('it has been asked', async () => (await state()) !== 'starting');
  t.equal(await state(), 'working');
  t.same(finding.warnings, []);
});

t.test('a tracker with several addresses, none of which answers: the log says why', async (t) => {
  const port = await freeUdpPort();
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  Object.assign(dns, { lookup: addressesAre('127.0.0.2', '127.0.0.3') });
  const finding = find(t, 21_031, { trackers: [`http://tracker.example:${port}/announce`] });
  finding.torrents(newTorrent());
  await until('it fails', () => finding.warnings.length > 0);
  t.match(finding.warnings[0], /ECONNREFUSED 127\.0\.0\.2.*ECONNREFUSED 127\.0\.0\.3/);
});

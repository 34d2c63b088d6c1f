/** What the report says in words: health, rates, and what went wrong. */
import t from 'tap';

import { healthOf, type HealthFacts } from '../../../src/gateway/status/health.ts';
import type { Observation } from '../../../src/gateway/status/observe.ts';
import { roundTop } from '../../../src/gateway/status/page/pieces.ts';
import { RateMeter } from '../../../src/gateway/status/rates.ts';
import { noting, RecentErrors } from '../../../src/gateway/status/recent-errors.ts';
import { bytes, counted, duration, percent } from '../../../src/core/text.ts';
import { exampleReport } from './fixtures/example-report.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('it works unless something that it needs does not', async (t) => {
  const fresh: HealthFacts = {
    torrents: [],
    mirrors: [],
    peers: [],
    cache: { files: 0, bytes: 0, limit_bytes: 0, answers: 0, hits: 0 },
    peering: 'on',
    listening: { http: '127.0.0.1:9988', peer: '[::]:9989' },
  };
  const trouble = (facts: HealthFacts) =>
    healthOf(facts)
      .checks.filter(({ state }) => state === 'trouble')
      .map(({ name }) => name);
  t.match(healthOf(fresh), { state: 'working', says: 'It works, and waits for APT.' });
  t.match(healthOf({ ...fresh, peering: 'off' }), { state: 'working' });
  t.same(trouble({ ...fresh, peering: 'silent' }), ['peers']);
  t.same(trouble(exampleReport('ftp.de.debian.org')), ['mirrors']);
  t.match(healthOf(exampleReport('ftp.de.debian.org')).says, 'not all is well: ftp.de.debian.org does not answer.');
  const mirror = (host: string, code: 'MIRROR_ERROR' | 'MIRROR_TIMEOUT') => {
    return { host, bytes: 0, errors: 1, failing: true, last_error: { code, at: 0 } };
  };
  const says = (...mirrors: HealthFacts['mirrors']) => healthOf({ ...fresh, mirrors }).says;
  t.match(says(mirror('a', 'MIRROR_ERROR')), ': a answers with errors.');
  t.match(says(mirror('a', 'MIRROR_ERROR'), mirror('b', 'MIRROR_ERROR')), ': 2 of 2 mirrors answer with errors.');
  t.match(says(mirror('a', 'MIRROR_ERROR'), mirror('b', 'MIRROR_TIMEOUT')), ': 2 of 2 mirrors fail.');
});

t.test('rates need two looks that lie apart', async (t) => {
  const meter = new RateMeter();
  const look = (at: number, received: number, mirror: number): Observation => {
    const { transfers, mirrors } = exampleReport();
    return {
      at,
      transfers: transfers.map((transfer) => ({ ...transfer, received })),
      totals: { hashFailures: 0, fromMirrorBytes: mirror, fromPeersBytes: 0 },
      cache: { files: 0, bytes: 0, limitBytes: 0 },
      mirrors,
      swarm: { listening: null, peers: [], torrents: {}, totals: { downBytes: 0, upBytes: 0, bans: 0 } },
      peers: 'on',
    };
  };
  const rate = (observation: Observation) => {
    const rates = meter.take(observation);
    return [[...rates.transfers.values()][0], rates.fromMirrors];
  };
  t.same(rate(look(1000, 100, 100)), [undefined, 0], 'nothing is known yet');
  t.same(rate(look(3000, 2100, 4100)), [1000, 2000]);
  t.same(rate(look(3100, 2100, 9999)), [1000, 2000], 'too short a time');
  t.same(rate(look(4000, 2200, 50)), [100, 0], 'counted anew');
  t.same(rate(look(90_000, 9_000_000, 9_000_000)), [undefined, 0], 'too long a time');
});

t.test('the same trouble with the same party is one row; the newest come first; the number is bounded', async (t) => {
  let now = 0;
  const recent = new RecentErrors(() => (now += 1));
  const log = noting(quiet, recent);
  log.info(
    { method: 'GET', target: 'http://ftp.us.debian.org/a', code: 'MIRROR_TIMEOUT', reason: 'silent' },
    'request failed',
  );
  log.info({ target: 'http://ftp.us.debian.org/b', code: 'MIRROR_TIMEOUT', reason: 'silent again' }, 'request failed');
  log.info({ target: 'http://ftp.us.debian.org/c', code: 'NOT_FOUND' }, 'request failed');
  log.info({ target: 'x' }, 'request');
  log.warn({ peer: '192.0.2.1', reason: 'wrong bytes' }, 'peer banned');
  log.error({ err: Object.assign(new Error('broken'), { code: 'EIO' }) }, 'odd');
  t.match(recent.list(), [
    { code: null, about: '', message: 'odd: broken', count: 1 },
    { code: null, about: '192.0.2.1', message: 'peer banned: wrong bytes', count: 1 },
    { at: 2, code: 'MIRROR_TIMEOUT', about: 'ftp.us.debian.org', message: 'request failed: silent again', count: 2 },
  ]);
  for (let index = 0; index < 1000; index++) log.warn({ peer: `${index}` }, 'x'.repeat(10_000));
  t.equal(recent.list().length, 50);
  t.match(recent.list()[0], { about: '999' });
  t.ok(JSON.stringify(recent.list()).length < 50_000);
});

t.test('figures for people', async (t) => {
  t.same([0, 999, 1024, 1.5 * 1024 ** 3].map(bytes), ['0 B', '999 B', '1.0 KiB', '1.5 GiB']);
  t.same([0, 59, 60, 3600, 3660, 172_800].map(duration), ['0 s', '59 s', '1 min', '1 h', '1 h 1 min', '2 days']);
  t.same([counted(1, 'file'), counted(1234567, 'file')], ['1 file', '1,234,567 files']);
  t.same(
    [percent(0, 0), percent(1, 1000), percent(1, 2), percent(999, 1000), percent(5, 5)],
    ['0 %', '<1 %', '50 %', '>99 %', '100 %'],
  );
  t.same(
    [0, 1500, 300 * 1024, 1024 ** 2 * 999].map((most) => roundTop(most, 1024)),
    [1024, 2048, 500 * 1024, 1024 ** 3],
  );
});

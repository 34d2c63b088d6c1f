import t from 'tap';

import type { InfoHash } from '../../../src/core/ids.ts';
import { ExchangeRounds } from '../../../src/actors/swarm/exchange-rounds.ts';
import type { Link } from '../../../src/actors/swarm/link/link.ts';
import { ManualClock } from '../../kernel/fixtures/manual-clock.ts';
import { FakeLink } from './upload/fake-link.ts';

const TORRENT = 'aa'.repeat(20) as InfoHash;

t.test('a link is told where others were dialled, not where they say that they listen', async (t) => {
  const clock = new ManualClock();
  const told: unknown[] = [];
  const link = (name: string, address: string, listenPort: number | undefined): Link => {
    const made = Object.assign(new FakeLink(name, [TORRENT]), { address, listenPort });
    if (name === 'told') made.sendPeers = (added) => void told.push(...added);
    return made;
  };
  const links = [
    link('told', '127.0.0.1', undefined),
    link('liar', '127.0.0.2', 7777),
    link('silent', '127.0.0.3', undefined),
    link('incoming', '127.0.0.4', 4444),
  ];
  const dialled = new Map<string, number>([
    ['127.0.0.2', 45_417],
    ['127.0.0.3', 9989],
  ]);
  const rounds = new ExchangeRounds({ links: () => links, dialledPort: ({ address }) => dialled.get(address), clock });
  t.teardown(() => rounds.stop());
  clock.advance(65_000);
  t.strictSame(told, [
    { host: '127.0.0.2', port: 45_417 },
    { host: '127.0.0.3', port: 9989 },
  ]);
});

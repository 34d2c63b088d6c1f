/** Names that nobody answers for, and those that are asked for meanwhile. */
import t from 'tap';

import { Names } from '../../../src/actors/http-backup/names.ts';
import { until } from '../../kernel/contract.ts';

const HERE = [{ address: '192.0.2.1', family: 4 }];
const THERE = [{ address: '192.0.2.2', family: 4 }];
const LATE_MS = 600_000;

/** The system answers when it is told to; the name servers know one name. */
function scene(momentMs: number) {
  const asked = { system: [] as string[], servers: [] as string[] };
  const answers = new Map<string, { resolve(found: typeof HERE): void; reject(error: Error): void }>();
  const names = new Names(
    {
      system(host) {
        asked.system.push(host);
        return new Promise((resolve, reject) => answers.set(host, { resolve, reject }));
      },
      servers(host) {
        asked.servers.push(host);
        if (host === 'odd.example') return Promise.reject(new Error('no servers'));
        return Promise.resolve(host === 'live.example' ? THERE : []);
      },
    },
    momentMs,
  );
  return { names, asked, answers };
}

t.test('a name is found while the system is busy with others', async (t) => {
  const { names, asked } = scene(1);
  const dead = names.lookup('dead.example');
  t.strictSame(await names.lookup('live.example'), THERE);
  t.strictSame(await names.lookup('live.example'), THERE);
  t.strictSame(asked.system, ['dead.example', 'live.example'], 'and once for each name');
  t.equal(await Promise.race([dead, Promise.resolve('waits')]), 'waits');
});

t.test('what the system answers counts, and is asked anew the next time', async (t) => {
  const { names, asked, answers } = scene(LATE_MS);
  const both = [names.lookup('live.example'), names.lookup('live.example')];
  answers.get('live.example')?.resolve(HERE);
  t.strictSame(await Promise.all(both), [HERE, HERE]);
  const again = names.lookup('live.example');
  answers.get('live.example')?.reject(new Error('gone'));
  await t.rejects(again, { message: 'gone' });
  t.strictSame(asked, { system: ['live.example', 'live.example'], servers: [] });
});

t.test('what the name servers do not know is for the system to say', async (t) => {
  for (const host of ['local.example', 'odd.example']) {
    const { names, asked, answers } = scene(1);
    const found = names.lookup(host);
    await until(() => asked.servers.includes(host));
    answers.get(host)?.resolve(HERE);
    t.strictSame(await found, HERE);
  }
});

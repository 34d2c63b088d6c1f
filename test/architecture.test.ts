/** The table of actors in docs/ARCHITECTURE.md names each message that their protocols have. */
import { readFileSync } from 'node:fs';

import t from 'tap';

const ROOT = new URL('../../', import.meta.url);
/** Row of the table, and where the protocols are whose messages it has to name. */
const ACTORS: readonly (readonly [row: string, ...protocols: [file: string, name: string][]])[] = [
  ['gateway', ['gateway/gateway.ts', 'GatewayProtocol']],
  [
    'transfers',
    ['actors/transfers/protocol.ts', 'TransfersProtocol'],
    ['actors/source.ts', 'SourceSinkProtocol'],
    ['actors/swarm/protocol.ts', 'PeersSinkProtocol'],
  ],
  [
    'HTTP backup',
    ['actors/source.ts', 'SourceProtocol'],
    ['actors/http-backup/http-backup.ts', 'HttpBackupProtocol extends SourceProtocol'],
  ],
  ['packages parser', ['actors/packages-parser/packages-parser.ts', 'PackagesParserProtocol']],
  ['peers', ['actors/swarm/protocol.ts', 'PeersProtocol']],
  ['swarm', ['actors/swarm/swarm.ts', 'SwarmProtocol']],
  ['discovery', ['actors/discovery/protocol.ts', 'DiscoveryProtocol']],
];

const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

t.test('the table of actors has the messages of each, and no others', async (t) => {
  const rows = read('docs/ARCHITECTURE.md').split('\n');
  for (const [actor, ...protocols] of ACTORS) {
    const row = rows.find((line) => line.startsWith(`| ${actor} (`));
    const told = [
      ...(row
        ?.split('|')
        .at(-2)
        ?.matchAll(/`(\w+)/g) ?? []),
    ].map(([, name]) => name);
    const known = protocols.flatMap(([file, name]) => {
      const [, body = ''] = new RegExp(`export interface ${name} \\{\n(.*?)\n\\}`, 's').exec(read(`src/${file}`)) ?? [];
      return [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, message]) => message);
    });
    t.ok(known.length > 0, actor);
    t.strictSame(told.toSorted(), known.toSorted(), actor);
  }
});

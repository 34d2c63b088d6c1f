/** The rest of a file without a hash, which comes from its beginning. */
import t from 'tap';

import { randomBytes } from '../support/random.ts';
import { startGateway } from './fixtures/gateway-scene.ts';

const data = randomBytes('far range', 1_000_000);

t.test('who would wait long for the rest of a file is given all of it', async (t) => {
  const s = await startGateway(t);
  await s.publish('far.bin', data);
  s.web.rule('/far.bin', { rate: 100_000 });
  const rest = s.get('far.bin', ['Range: bytes=950000-']);
  const near = await s.get('far.bin', ['Range: bytes=1000-1999']);
  t.equal(near.status, 206, 'what comes in a moment is waited for');
  t.ok(near.body.equals(data.subarray(1000, 2000)));
  const { status, headers, body, complete } = await rest;
  t.equal(status, 200);
  t.equal(headers['content-range'], undefined);
  t.ok(complete && body.equals(data));
  t.equal(s.web.copies('/far.bin'), 1);
});

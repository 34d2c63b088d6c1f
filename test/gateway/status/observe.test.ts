/** What is shown, where the wall clock is set back. */
import t from 'tap';

import { startGateway } from '../fixtures/gateway-scene.ts';

t.test('what was seen before the clock was set back is not shown until that time comes again', async (t) => {
  const { now } = Date;
  let behind = 0;
  Date.now = () => now() - behind;
  t.teardown(() => (Date.now = now));
  const { observer } = await startGateway(t, {});
  const before = await observer.lately(500);
  behind = 3_600_000;
  t.not(await observer.lately(500), before);
});

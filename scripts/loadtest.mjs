/** `npm run loadtest -- [flags]`: the load test, in this process. */
import { ensureBuilt } from './lib/ensure.mjs';

await ensureBuilt();
await import('../dist/scripts/loadtest/main.js');

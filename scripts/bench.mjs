/** `npm run bench -- [names]`: the benchmarks, in this process. */
import { ensureBuilt } from './lib/ensure.mjs';

await ensureBuilt();
await import('../dist/scripts/bench/main.js');

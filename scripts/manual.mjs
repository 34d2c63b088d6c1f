/** `npm run manual`: what the repository keeps of the manual, from the table of settings. */
import { ensureBuilt } from './lib/ensure.mjs';

await ensureBuilt();
await import('../dist/scripts/manual/main.js');

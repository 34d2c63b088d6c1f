/** `npm start -- [flags]`: debtorrent serve, in this process, so that signals reach it. */
import { ensureBuilt } from './lib/ensure.mjs';

await ensureBuilt();
const { main } = await import('../dist/program/main/main.js');
await main(['serve', ...process.argv.slice(2)]);

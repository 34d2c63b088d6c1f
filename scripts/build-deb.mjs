/** `npm run build:deb [-- DIRECTORY]`: the Debian package. */
import { ensureBuilt } from './lib/ensure.mjs';

await ensureBuilt();
const { main } = await import('../dist/scripts/deb/main.js');
main(process.argv.slice(2));

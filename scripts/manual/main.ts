/** `npm run manual`: writes what the repository keeps of the manual. */
import { writeFileSync } from 'node:fs';
import { configurationPage } from './toml.ts';

writeFileSync('docs/CONFIGURATION.md', configurationPage());

import { runMethod } from '../dist/src/method/main.js';

process.exit(await runMethod(`${process.argv[2] ?? ''}\n`));

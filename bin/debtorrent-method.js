import { runMethod } from '../dist/src/method/main.js';

runMethod(`${process.argv[2] ?? ''}\n`);

import { runMethod } from '../dist/src/method/main.js';

process.exit(await runMethod(process.env.DEBTORRENT_METHOD_READ ?? ''));

import { runMethod } from '../dist/program/method/main.js';

process.exit(await runMethod(process.env.DEBTORRENT_METHOD_READ ?? ''));

/** The misbehaving mirror in a thread of its own, so that it is not late because something else is measured. */
import { parentPort, workerData } from 'node:worker_threads';
import { type RelayOptions, startRelay } from './relay.ts';

const relay = await startRelay(workerData as RelayOptions);
parentPort?.on('message', () => void relay.close().then(() => parentPort?.close()));
parentPort?.postMessage(relay.port);

// A worker that answers each message with one: what a call costs at the least without shared memory.

import { parentPort } from 'node:worker_threads';

parentPort!.on('message', ({ id }: { id: number }) => parentPort!.postMessage({ id, result: null }));

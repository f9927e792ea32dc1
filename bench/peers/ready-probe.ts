// Asks /readyz again and again, on a thread of its own: a busy client would measure itself. Told to stop, it posts the
// milliseconds that each answer took.

import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const { url, intervalMs } = workerData as { url: string; intervalMs: number };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const taken: number[] = [];
let stopped = false;
parentPort!.once('message', () => (stopped = true));

function ask(): Promise<void> {
  return new Promise((resolve, reject) => {
    get(`${url}/readyz`, { agent }, (answer) => answer.resume().on('end', resolve)).on('error', reject);
  });
}

await ask();
while (!stopped) {
  const start = performance.now();
  await ask();
  taken.push(performance.now() - start);
  await delay(intervalMs);
}
agent.destroy();
parentPort!.postMessage(taken);

import { expect, it } from 'vitest';
import { Worker } from 'node:worker_threads';
import { Bell } from '#src/runtime/bell.js';

/** Rings once for each message; answers when it has. */
function ringer(bell: Bell): Worker {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const words = new Int32Array(workerData);
    parentPort.on('message', (times) => {
      for (let i = 0; i < times; i++) { Atomics.add(words, 0, 1); Atomics.notify(words, 0); }
    });`;
  return new Worker(code, { eval: true, workerData: bell.buffer });
}

const heard = (bell: Bell, rung = bell.rung): Promise<void> =>
  new Promise((resolve) => bell.listen(rung, resolve));

it('hears every ring of another thread, and what rang before it listened', async () => {
  const bell = new Bell();
  const worker = ringer(bell);
  for (let i = 0; i < 200; i++) {
    const listening = heard(bell);
    worker.postMessage(1);
    await listening;
  }
  expect(bell.rung).toBe(200);
  const { rung } = bell;
  bell.ring();
  await heard(bell, rung);
  await worker.terminate();
});

it('calls back once for many rings, and not at once', async () => {
  const bell = new Bell();
  let calls = 0;
  const { rung } = bell;
  for (let i = 0; i < 5; i++) bell.ring();
  bell.listen(rung, () => calls++);
  bell.listen(rung, () => calls++);
  expect(calls).toBe(0);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(calls).toBe(1);
});

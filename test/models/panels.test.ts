import { afterEach, expect, it } from 'vitest';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine, type EngineOptions } from './engine.js';

let engine: Engine;
afterEach(() => engine.stop());

const WIDTH = 64;
const WEIGHT_BYTES = WIDTH * WIDTH * 4;
const wide = { type: 'Linear', in_features: WIDTH, out_features: WIDTH };
const ones = [Array.from({ length: WIDTH }, () => 1)];

async function start(options: EngineOptions = {}) {
  engine = await startEngine(options);
  await engine.registry.build({ name: 'net', seed: 0, architecture: wide });
  return engine.registry.get('net');
}

async function run(): Promise<Float32Array> {
  const { outputs } = (await engine.registry.get('net').forward({ inputs: ones, module: '' })) as {
    outputs: TensorValue;
  };
  return (outputs.data as Float32Array).slice();
}

it("keeps a weight's panels from its first forward on, once, and no more than its own bytes", async () => {
  const model = await start();
  const before = engine.memory.bytesInUse;
  await Promise.all([run(), run(), run()]);
  expect(model.panels.bytes).toBe(WEIGHT_BYTES);
  await run();
  expect(engine.memory.bytesInUse).toBe(before + WEIGHT_BYTES);
});

it('makes them anew for new values, and lets go of the old', async () => {
  const model = await start({ limits: { logBytes: 0 } });
  await run();
  const before = engine.memory.bytesInUse;
  for (let i = 0; i < 3; i++) {
    await model.setParameter('weight', { value: i });
    await model.setParameter('bias', { value: 0.5 });
    expect(model.panels.bytes).toBe(0);
    expect(await run()).toEqual(new Float32Array(WIDTH).fill(WIDTH * i + 0.5));
    expect(model.panels.bytes).toBe(WEIGHT_BYTES);
  }
  expect(engine.memory.bytesInUse).toBe(before);
});

it('gives them up when memory is short, before any log, and answers the same bits without', async () => {
  // Room for the model, its log and an activation, and not for its panels beside another model.
  const model = await start({ limitBytes: 2 ** 20 });
  const expected = await run();
  expect(model.panels.bytes).toBe(WEIGHT_BYTES);
  const { memory } = engine;
  const rest = memory.allocate(memory.limitBytes - memory.bytesInUse);
  const more = memory.allocate(64);
  expect(model.panels.bytes).toBe(0);
  expect(model.log.bytes).toBeGreaterThan(0);
  memory.release(more);
  // Room for the activations of one forward, with what is packed at a time; less than for panels kept.
  const crumb = memory.allocate(WEIGHT_BYTES - 1024);
  memory.release(rest);
  const most = memory.allocate(memory.limitBytes - memory.bytesInUse - 17 * 1024);
  expect(await run()).toEqual(expected);
  expect(model.panels.bytes).toBe(0);
  for (const region of [crumb, most]) memory.release(region);
  expect(await run()).toEqual(expected);
  expect(model.panels.bytes).toBe(WEIGHT_BYTES);
});

it('leaves nothing behind when its model is deleted', async () => {
  await start({ limits: { logBytes: 0 } });
  await run();
  await engine.registry.delete('net');
  expect(engine.memory.bytesInUse).toBe(0);
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEngine, type Engine } from './engine.js';

describe('a forward', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine.stop());

  const words =
    "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; " +
    'but got torch.FloatTensor instead (while checking arguments for embedding)';

  it('takes whole numbers without a dtype as indices, and refuses others before memory is taken, whichever come first', async () => {
    const { memory, registry } = engine;
    await registry.build({ name: 'rows', architecture: 'nn.Embedding(3, 2)' });
    const rows = registry.get('rows');
    const forward = (inputs: unknown) => rows.forward({ inputs, module: '' });
    const before = memory.bytesInUse;
    const refused = { code: 'SHAPE_MISMATCH', message: words };
    for (let round = 0; round < 2; round++) {
      await expect(forward([0.5, 1])).rejects.toMatchObject(refused);
      await expect(forward(['NaN', 1])).rejects.toMatchObject(refused);
      expect((await forward([2, 1])).outputs).toMatchObject({ shape: [2, 2] });
    }
    expect(memory.bytesInUse).toBe(before);
  });

  it.each([
    ['an adaptive pool', 'nn.AdaptiveAvgPool2d(2147483647)', [[[1]]]],
    ['a padding', 'nn.Conv2d(1, 1, 1, padding=2147483647)', [[[1]]]],
    ['a sum of sizes', 'nn.Sequential(nn.AdaptiveAvgPool2d(46340000), nn.ReLU())', [[[1]]]],
  ])('whose activations are too large by %s exceeds the quota', async (_what, architecture, inputs) => {
    const { registry } = engine;
    const { name } = (await registry.build({ name: `m${registry.size}`, architecture })) as { name: string };
    await expect(registry.get(name).forward({ inputs, module: '' })).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
    });
  });
});

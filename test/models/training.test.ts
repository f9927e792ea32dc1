import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Job } from '#src/models/jobs.js';
import type { Model } from '#src/models/model.js';
import type { TrainRequest } from '#src/models/training-setup.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { excess, noise } from '../kernels/instance.js';
import { startEngine, type Engine, type EngineOptions } from './engine.js';

interface Tensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly data: number[];
}

interface Case {
  readonly architecture: unknown;
  readonly optimizer: string;
  readonly options: Record<string, unknown>;
  readonly loss: string;
  readonly input: Tensor;
  readonly target: Tensor;
  readonly state_before: Record<string, Tensor>;
  readonly losses: number[];
  readonly first_grads: Record<string, Tensor>;
  readonly state_after_5_steps: Record<string, Tensor>;
}

const file = new URL('../fixtures/golden/training.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

const engines: Engine[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
});

async function start(options: EngineOptions = {}): Promise<Engine> {
  const engine = await startEngine({ workers: 2, ...options });
  engines.push(engine);
  return engine;
}

async function build({ registry }: Engine, architecture: unknown, name = 'net'): Promise<Model> {
  await registry.build({ name, seed: 0, architecture });
  return registry.get(name);
}

const DEFAULTS = {
  module: '',
  mode: 'train',
  optimizer: { name: 'SGD', lr: 0.1 },
  loss: { name: 'mse_loss' },
  epochs: 1,
  shuffle: false,
  drop_last: false,
  resume: false,
} as const;

/** y = 2 x₀ - x₁ + 0.5, for inputs that look random. */
function line(rows: number, seed = 1) {
  const inputs = Array.from({ length: rows }, (_, i) => [...noise(4, seed + i)]);
  return { inputs, targets: inputs.map(([a, b]) => [2 * a! - b! + 0.5]) };
}

type Asked = Partial<TrainRequest> & Pick<TrainRequest, 'inputs' | 'targets'>;

async function train(model: Model, request: Asked): Promise<Job> {
  const job = await model.train({ ...DEFAULTS, ...request });
  await job.over;
  return job;
}

async function state(model: Model): Promise<Record<string, number[]>> {
  const { state_dict } = (await model.stateDict({ module: '' })) as {
    state_dict: Record<string, TensorValue>;
  };
  return Object.fromEntries(
    Object.entries(state_dict).map(([name, { data }]) => [name, [...data].map(Number)]),
  );
}

const MLP = 'nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))';

describe("five steps of PyTorch's", () => {
  it.each(
    cases.map(
      (entry) => [`${entry.optimizer} ${JSON.stringify(entry.options)} ${entry.loss}`, entry] as const,
    ),
  )('%s: the same losses and parameters', async (_label, entry) => {
    const model = await build(await start(), entry.architecture);
    await model.loadStateDict({ module: '', strict: true, state: entry.state_before });
    const job = await train(model, {
      optimizer: { name: entry.optimizer, ...entry.options },
      loss: { name: entry.loss },
      inputs: entry.input,
      targets: entry.target,
      epochs: 5,
    });
    const report = job.report();
    expect(report.error).toBeUndefined();
    expect(excess(Float32Array.from(report.losses.map(Number)), entry.losses)).toBeLessThanOrEqual(1);
    const after = await state(model);
    for (const [name, { data }] of Object.entries(entry.state_after_5_steps)) {
      expect(excess(Float32Array.from(after[name]!), data), name).toBeLessThanOrEqual(1);
    }
  });
});

describe('a job', () => {
  it('gives the same bits on one worker and on three, whoever else is served meanwhile', async () => {
    const results = [];
    for (const workers of [1, 3]) {
      const engine = await start({ workers });
      const model = await build(
        engine,
        'nn.Sequential(nn.Linear(4, 300), nn.Tanh(), nn.Dropout(0.2), nn.Linear(300, 1))',
      );
      const { inputs, targets } = line(500);
      const job = await model.train({
        ...DEFAULTS,
        inputs,
        targets,
        batch_size: 64,
        shuffle: true,
        seed: 3,
        epochs: 3,
      });
      let served = 0;
      while (job.running) {
        await model.forward({ module: '', inputs: inputs.slice(0, 3) });
        served++;
      }
      expect(served).toBeGreaterThan(0);
      results.push({ losses: job.report().losses, state: await state(model) });
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('is seen by forwards commit by commit: each revision alone, all of it', async () => {
    const model = await build(await start(), MLP);
    const { inputs, targets } = line(64);
    const job = await model.train({
      ...DEFAULTS,
      inputs,
      targets,
      batch_size: 8,
      epochs: 20,
      commit_every: 4,
    });
    const seen = new Map<number, number[]>();
    while (job.running) {
      const { revision, outputs } = await model.forward({ module: '', inputs: inputs.slice(0, 1) });
      const numbers = [...(outputs as TensorValue).data].map(Number);
      expect(seen.get(revision) ?? numbers).toEqual(numbers);
      seen.set(revision, numbers);
    }
    // Eight batches an epoch, a commit every four steps.
    expect(model.revision).toBe(1 + 2 * 20);
    expect(job.report()).toMatchObject({ status: 'done', step: 160, committed_revision: 41 });
    expect(model.log.read(1).every(({ kind }) => kind === 'train')).toBe(true);
  });

  it('takes in changes at its next commit, in their order, and goes on from them', async () => {
    const model = await build(await start(), MLP);
    const { inputs, targets } = line(64);
    const job = await model.train({
      ...DEFAULTS,
      inputs,
      targets,
      batch_size: 8,
      epochs: 400,
      optimizer: { name: 'SGD', lr: 1e-9 },
    });
    const patched = await model.patchParameter('2.bias', { ops: [{ op: 'set', value: 7 }] });
    const again = await model.patchParameter('2.bias', { ops: [{ op: 'add', value: 1 }] });
    expect(job.running).toBe(true);
    expect(again.revision as number).toBeGreaterThan(patched.revision as number);
    await job.over;
    const kinds = model.log.read(1).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'patch')).toHaveLength(2);
    expect(kinds.at(-1)).toBe('train');
    // Training from the old bias would have undone the patches.
    expect((await state(model))['2.bias']![0]).toBeCloseTo(8, 3);
  });

  it('that is cancelled keeps the last commit', async () => {
    const model = await build(await start(), MLP);
    const { inputs, targets } = line(64);
    const job = await model.train({ ...DEFAULTS, inputs, targets, batch_size: 8, epochs: 1_000_000 });
    while (model.revision < 3) await new Promise((resolve) => setImmediate(resolve));
    job.cancel();
    await job.over;
    const report = job.report();
    expect(report.status).toBe('cancelled');
    expect(model.revision).toBe(report.committed_revision);
    // A change is made at once now.
    await model.patchParameter('2.bias', { ops: [{ op: 'set', value: 7 }] });
    expect(model.revision).toBe(report.committed_revision! + 1);
  });

  it('stops where the loss is not finite, at the step it came from, with the last commit kept', async () => {
    const model = await build(await start(), MLP);
    const { inputs, targets } = line(8);
    const job = await train(model, {
      inputs,
      targets: [...targets.slice(0, 6), ['NaN'], [1]],
      batch_size: 2,
      commit_every: 2,
    });
    expect(job.report()).toMatchObject({
      status: 'failed',
      step: 4,
      committed_revision: 2,
      error: { code: 'LOSS_NOT_FINITE', detail: expect.stringContaining('NaN at step 4') as string },
    });
    expect(
      Object.values(await state(model))
        .flat()
        .every(Number.isFinite),
    ).toBe(true);
  });

  it('tells the loss of its validation, and stops early where that gets no better', async () => {
    const model = await build(await start(), MLP);
    const job = await train(model, {
      ...line(32),
      validation: line(10, 500),
      epochs: 1000,
      optimizer: { name: 'SGD', lr: 1e-12 },
      early_stopping: { patience: 3, min_delta: 1e-6 },
    });
    const { history, stopped_early, epoch } = job.report();
    expect(stopped_early).toBe(true);
    expect(epoch).toBe(4);
    expect(history.every(({ validation }) => typeof validation?.loss === 'number')).toBe(true);
  });

  it('leaves frozen parameters as they are', async () => {
    const model = await build(await start(), MLP);
    await model.patchParameter('0.weight', { requires_grad: false });
    const before = await state(model);
    await train(model, { ...line(32), epochs: 3 });
    const after = await state(model);
    expect(after['0.weight']).toEqual(before['0.weight']);
    expect(after['0.bias']).not.toEqual(before['0.bias']);
  });

  it('trains groups of parameters at rates of their own', async () => {
    const model = await build(await start(), MLP);
    const before = await state(model);
    await train(model, {
      ...line(32),
      optimizer: { name: 'SGD', lr: 0.1, groups: [{ params: '0.*', lr: 0 }] },
    });
    const after = await state(model);
    expect(after['0.weight']).toEqual(before['0.weight']);
    expect(after['2.weight']).not.toEqual(before['2.weight']);
  });

  it('is one at a time on a model', async () => {
    const model = await build(await start(), MLP);
    const job = await model.train({ ...DEFAULTS, ...line(32), epochs: 1_000_000 });
    await expect(model.train({ ...DEFAULTS, ...line(32) })).rejects.toMatchObject({ code: 'JOB_RUNNING' });
    job.cancel();
    await job.over;
    await train(model, line(32));
  });

  it('ends with its model', async () => {
    const engine = await start();
    const bytes = engine.memory.bytesInUse;
    const model = await build(engine, MLP);
    const job = await model.train({ ...DEFAULTS, ...line(32), epochs: 1_000_000 });
    const waiting = model.patchParameter('2.bias', { ops: [{ op: 'set', value: 7 }] });
    await Promise.all([engine.registry.delete('net'), waiting.catch(() => undefined)]);
    await job.over;
    expect(job.running).toBe(false);
    model.log.clear();
    expect(engine.memory.bytesInUse).toBe(bytes);
  });

  it('lets go of its memory, but for the state of the optimizer', async () => {
    const engine = await start();
    const model = await build(engine, MLP);
    await train(model, { ...line(32), epochs: 2 });
    model.log.clear();
    const bytes = engine.memory.bytesInUse;
    await train(model, { ...line(300), epochs: 2, validation: line(5), batch_size: 7 });
    model.log.clear();
    expect(engine.memory.bytesInUse).toBe(bytes);
  });

  it('says what is wrong with a request, and begins nothing', async () => {
    const engine = await start();
    const model = await build(engine, MLP);
    const bytes = engine.memory.bytesInUse;
    const good = line(8);
    const refused: [Partial<TrainRequest>, object][] = [
      [{ optimizer: { name: 'SGDD' } }, { code: 'INVALID_REQUEST', errors: [{ path: 'optimizer.name' }] }],
      [{ optimizer: { name: 'SGD', lr: -1 } }, { errors: [{ message: 'Invalid learning rate: -1' }] }],
      [{ targets: good.targets.slice(1) }, { errors: [{ path: 'targets' }] }],
      [{ inputs: [[1, 2]], targets: [[1]] }, { code: 'SHAPE_MISMATCH' }],
      [{ inputs: [], targets: [] }, { code: 'INVALID_REQUEST' }],
      [{ module: '7' }, { code: 'MODULE_NOT_FOUND' }],
    ];
    for (const [request, error] of refused) {
      await expect(model.train({ ...DEFAULTS, ...good, ...request })).rejects.toMatchObject(error);
    }
    expect(model.revision).toBe(1);
    expect(engine.memory.bytesInUse).toBe(bytes);
    expect(engine.registry.jobs.list()).toEqual([]);
  });
});

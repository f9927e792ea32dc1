import { describe, expect, it } from 'vitest';
import { makePlan } from '#src/graph/plan.js';
import { withRows } from '#src/graph/rows.js';
import { Tracer, type Graph } from '#src/graph/tracer.js';
import { readTree } from '#src/models/edit-structure.js';
import { traceModule } from '#src/nn/trace.js';
import type { DType } from '#src/tensor/dtype.js';
import { unplacedKernels } from '#src/runtime/kernel-module.js';

/** A block of a ResNet and its head, and every op that moves dimensions behind the rows. */
const residual = {
  type: 'Graph',
  inputs: ['x'],
  nodes: [
    {
      name: 'conv',
      module: { type: 'Conv2d', in_channels: 2, out_channels: 2, kernel_size: 3, padding: 1 },
      inputs: 'x',
    },
    { name: 'norm', module: { type: 'BatchNorm2d', num_features: 2 }, inputs: 'conv' },
    { name: 'sum', op: 'add', inputs: ['norm', 'x'] },
    { name: 'relu', op: 'relu', inputs: 'sum' },
    { name: 'pooled', op: 'mean', dim: [2, 3], inputs: 'relu' },
    { name: 'head', module: { type: 'Linear', in_features: 2, out_features: 3 }, inputs: 'pooled' },
  ],
  outputs: 'head',
};
const moves = {
  type: 'Graph',
  inputs: ['x'],
  nodes: [
    { name: 'turned', op: 'transpose', dim0: 1, dim1: -1, inputs: 'x' },
    { name: 'squares', op: 'matmul', inputs: ['x', 'turned'] },
    { name: 'first', op: 'select', index: ':, 0', inputs: 'squares' },
    { name: 'pair', op: 'stack', dim: 1, inputs: ['first', 'first'] },
    { name: 'flat', op: 'flatten', start_dim: 1, inputs: 'pair' },
    { name: 'wide', op: 'unsqueeze', dim: 1, inputs: 'flat' },
    { name: 'narrow', op: 'squeeze', dim: 1, inputs: 'wide' },
    { name: 'shaped', op: 'reshape', shape: [-1, 2, 3], inputs: 'narrow' },
    { name: 'least', op: 'min', dim: 2, keepdim: true, inputs: 'shaped' },
    { name: 'all', op: 'cat', dim: 2, inputs: ['shaped', 'least'] },
  ],
  outputs: 'all',
};

const cases: readonly [architecture: unknown, row: number[], dtype?: DType][] = [
  ['nn.Linear(4, 3)', [4]],
  ['nn.Linear(4, 3)', [2, 4]],
  ['nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))', [4]],
  [
    'nn.Sequential(nn.Conv2d(1, 3, 3, padding="same"), nn.BatchNorm2d(3), nn.GELU(), nn.MaxPool2d(2))',
    [1, 6, 8],
  ],
  ['nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(18, 5))', [1, 8, 8]],
  ['nn.Sequential(nn.Conv1d(2, 4, 3, groups=2), nn.AdaptiveAvgPool1d(3), nn.Flatten())', [2, 9]],
  [
    'nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.ReflectionPad2d(1), nn.Upsample(scale_factor=2, mode="bilinear"))',
    [2, 3, 4],
  ],
  ['nn.Sequential(nn.Conv1d(2, 4, 3, padding=2, padding_mode="circular"), nn.AdaptiveMaxPool1d(2))', [2, 9]],
  ['nn.Sequential(nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.Unflatten(1, (2, -1)))', [4, 3, 3]],
  ['nn.Sequential(nn.ZeroPad1d((1, -2)), nn.Linear(5, 2))', [6]],
  ['nn.Sequential(nn.ConstantPad1d(1, 7), nn.Embedding(10, 4))', [3], 'int64'],
  ['nn.Sequential(nn.LayerNorm(6), nn.Softmax(dim=1), nn.LogSoftmax(-1))', [6]],
  ['nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))', [3], 'int64'],
  ['nn.Sequential(nn.Dropout(0.5), nn.Identity())', [2, 2]],
  [residual, [2, 5, 4]],
  [moves, [3, 4]],
  ['Residual(nn.Linear(4, 4), nn.ReLU(), Residual(nn.Tanh()))', [4]],
  ['Parallel(nn.Linear(4, 2), nn.Linear(4, 3), nn.Identity())', [4]],
  ['Parallel(nn.Conv2d(2, 2, 1), nn.Identity(), merge="mean")', [2, 3, 3]],
  ['Lambda("where(x > 0.5, exp(x) ** 1.5, clip(x, -1, 1)) % 2 - std(x, 2, keepdim=True)")', [3, 4]],
  ['Lambda("(x - mean(x, dim=-1, keepdim=True)) * max(x, dim=1, keepdim=True)")', [3]],
];

/** The same parameters each time: a graph knows them by identity. */
function tracerOf(architecture: unknown): (rows: number, row: number[], dtype: DType) => Graph {
  const { root } = readTree(architecture, { maxModules: 100, maxDepth: 10 });
  return (rows, row, dtype) => {
    const tracer = new Tracer();
    return tracer.graph(traceModule(tracer, root, tracer.input({ shape: [rows, ...row], dtype })));
  };
}

describe('a row-wise graph with other rows', () => {
  it.each(cases)('is what tracing gives for them: %s', (architecture, row, dtype = 'float32') => {
    const trace = tracerOf(architecture);
    const traced = trace(5, row, dtype);
    expect(makePlan(traced, unplacedKernels()).rowwise).toBe(true);
    for (const rows of [1, 2, 5, 64]) expect(withRows(traced, rows)).toEqual(trace(rows, row, dtype));
  });

  it.each([
    ['Lambda("x - mean(x)")', [4]],
    // The sums of all rows are what each row is compared with.
    ['Lambda("x - sum(x, dim=1)")', [5, 5]],
    ['Lambda("max(x, dim=0, keepdim=True) * x")', [4]],
    ['Parallel(nn.Identity(), nn.Identity(), dim=0)', [4]],
  ] as const)('is not there for %s', (architecture, row) => {
    const traced = tracerOf(architecture)(5, [...row], 'float32');
    expect(makePlan(traced, unplacedKernels()).rowwise).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { makePlan } from '#src/graph/plan.js';
import { ShapeError, type OpAttributes } from '#src/graph/op.js';
import { Tracer, type Value } from '#src/graph/tracer.js';
import { SizeError } from '#src/tensor/shape.js';
import { Arena } from '../kernels/instance.js';

const { kernels } = new Arena();
const input = (...shape: number[]): Value => ({
  shape,
  dtype: 'float32',
  source: { from: 'input', index: 0 },
});

function costOf<N extends 'max_pool' | 'avg_pool' | 'adaptive_avg_pool'>(
  op: N,
  x: Value,
  attributes: OpAttributes[N],
) {
  const tracer = new Tracer();
  return makePlan(tracer.graph(x, tracer.apply(op, [x], attributes)), kernels).cost;
}

type MaxPool = OpAttributes['max_pool'];
const pool = (dims: 1 | 2, rest: Partial<MaxPool>): MaxPool => ({
  dims,
  kernel: dims === 1 ? [1, 2] : [2, 2],
  stride: [1, 1],
  padding: [0, 0],
  dilation: [1, 1],
  ceilMode: false,
  ...rest,
});

const stored = (tracer: Tracer, ...shape: number[]) => tracer.read({ shape, dtype: 'float32' });
const linear = (tracer: Tracer, x: Value, out: number): Value =>
  tracer.apply('linear', [x, stored(tracer, out, x.shape.at(-1)!), null], {});

describe('the cost of a pool', () => {
  it('counts the elements of every window', () => {
    const window = { ...pool(2, { kernel: [37, 37] }), countIncludePad: true, divisor: null };
    const elements = (100 - 36) ** 2 * 37 ** 2;
    expect(costOf('max_pool', input(1, 1, 100, 100), window)).toBeGreaterThanOrEqual(elements);
    expect(costOf('avg_pool', input(1, 1, 100, 100), window)).toBeGreaterThanOrEqual(elements);
  });

  it('counts what an adaptive pool reads and what it writes', () => {
    const cost = (size: number, output: number) =>
      costOf('adaptive_avg_pool', input(1, size), { dims: 1, output: [null, output] });
    expect(cost(1, 1e6)).toBeGreaterThanOrEqual(1e6);
    expect(cost(1e6, 1)).toBeGreaterThanOrEqual(1e6);
  });
});

describe('the cost of an op', () => {
  it.each<[string, number, (tracer: Tracer) => Value]>([
    ['linear without features', 7000, (tracer) => linear(tracer, input(7, 0), 1000)],
    ['linear', 7 * 3000, (tracer) => linear(tracer, input(7, 3), 1000)],
    [
      'embedding in rows without elements',
      5000,
      (tracer) => tracer.apply('embedding', [{ ...input(5000), dtype: 'int64' }, stored(tracer, 9, 0)], {}),
    ],
    ['softmax', 5000, (tracer) => tracer.apply('softmax', [input(5000)], { dim: 0 })],
    ['relu', 5000, (tracer) => tracer.apply('relu', [input(5000)], {})],
  ])('is at least the elements that it reads and writes: %s', (_op, elements, apply) => {
    const tracer = new Tracer();
    const output = apply(tracer);
    const plan = makePlan(tracer.graph(output), kernels);
    expect(plan.cost).toBeGreaterThanOrEqual(elements);
  });
});

describe('a pool that PyTorch refuses', () => {
  const refused = (x: Value, attributes: MaxPool) => () => new Tracer().apply('max_pool', [x], attributes);
  const averaged = (x: Value, attributes: MaxPool) => () =>
    new Tracer().apply('avg_pool', [x], { ...attributes, countIncludePad: true, divisor: null });

  it.each<[string, () => unknown]>([
    [
      'max_pool1d() padding should be at most half of kernel size, but got padding=2 and kernel_size=3',
      refused(input(1, 13), pool(1, { kernel: [1, 3], padding: [0, 2], dilation: [1, 3] })),
    ],
    [
      'max_pool1d() Invalid computed output size: 0',
      refused(input(3, 3), pool(1, { kernel: [1, 5], stride: [1, 5] })),
    ],
    [
      'pad should be smaller than or equal to half of kernel size, but got padW = 3, padH = 1, kW = 4, kH = 3',
      refused(input(2, 3, 14, 11), pool(2, { kernel: [3, 4], padding: [1, 3], dilation: [3, 3] })),
    ],
    [
      'pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1',
      refused(input(1, 1, 4, 4), pool(2, { padding: [2, 2] })),
    ],
    [
      'Given input size: (1x3x3). Calculated output size: (1x0x0). Output size is too small',
      refused(input(1, 1, 3, 3), pool(2, { kernel: [5, 5], stride: [5, 5] })),
    ],
    [
      'max_pool1d() padding should be at most half of kernel size, but got padding=2 and kernel_size=3',
      refused(
        { ...input(1, 1, 20), dtype: 'int64' },
        pool(1, { kernel: [1, 3], padding: [0, 2], dilation: [1, 3] }),
      ),
    ],
    [
      'Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 0, 4, 4]',
      refused(input(1, 0, 4, 4), pool(2, {})),
    ],
    [
      'pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1',
      refused(input(1, 0, 4, 4), pool(2, { padding: [1, 2] })),
    ],
    [
      'non-empty 3D or 4D (batch mode) tensor expected for input',
      refused(input(4, 4), pool(2, { padding: [1, 2] })),
    ],
    [
      'Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 1, 1, 0]',
      averaged(input(1, 1, 0), pool(1, {})),
    ],
    [
      'Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 1, 1, 4, 4]',
      averaged(input(1, 1, 1, 4, 4), pool(2, {})),
    ],
    [
      'Given input size: (1x1x2). Calculated output size: (1x1x-2). Output size is too small',
      averaged({ ...input(1, 2), dtype: 'int64' }, pool(1, { kernel: [1, 5] })),
    ],
  ])('is refused in its words: %s', (words, apply) => {
    expect(apply).toThrow(ShapeError);
    expect(apply).toThrow(new Error(words));
  });
});

it('an activation of more bytes than there are is a SizeError, before anything is taken', () => {
  const x = input(1, 1, 1);
  const attributes = { dims: 2 as const, output: [2 ** 31 - 1, 2 ** 31 - 1] as const };
  expect(() => costOf('adaptive_avg_pool', x, attributes)).toThrow(SizeError);
});

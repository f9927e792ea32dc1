// torch.nn's activations: elementwise ones (a row each), and softmax over one dimension.

import type { UnaryName } from '../../graph/kernels.js';
import { ShapeError } from '../../graph/op.js';
import type { Apply, Value } from '../../graph/tracer.js';
import type { LayerDefinition, OptionDefinition } from '../layer.js';
import { numberOf, pythonRepr, type Options } from '../options.js';
import { flag, float, nullable } from './arguments.js';

/** Nothing is done in place here; the flag is kept, as it prints. */
const inplace = flag('inplace', false);

interface Activation {
  readonly op: UnaryName | ((options: Options) => UnaryName);
  readonly options?: readonly OptionDefinition[];
  /** The op's own parameters. */
  readonly attributes?: (options: Options) => { a?: number; b?: number };
  readonly check?: (options: Options) => string[];
  readonly repr?: (options: Options) => string;
}

function elementwise({
  op,
  options = [],
  attributes = () => ({}),
  check,
  repr,
}: Activation): LayerDefinition {
  return {
    options,
    ...(check && { check }),
    trace: (module, x, { tracer }) =>
      tracer.apply(typeof op === 'string' ? op : op(module.options), [x], attributes(module.options)),
    flow: () => ({ changes: 0 }),
    repr: repr ?? (() => ''),
  };
}

/** `name=value` for each of `names`, then `inplace=True` where it is set. */
function printing(...names: string[]): (options: Options) => string {
  return (options) => {
    const shown = names.map((name) => `${name}=${pythonRepr(options[name]!)}`);
    return [...shown, ...(options.inplace === true ? ['inplace=True'] : [])].join(', ');
  };
}

type OverDimension = (x: Value, dim: number | null, apply: Apply) => Value;

function overDimension(trace: OverDimension): LayerDefinition {
  return {
    options: [nullable({ name: 'dim', kind: 'int' })],
    trace: ({ options }, x, { tracer }) => trace(x, options.dim as number | null, tracer.apply),
    flow: () => ({ changes: 0 }),
    repr: printing('dim'),
  };
}

const softmax: OverDimension = (x, dim, apply) => apply('softmax', [x], { dim });

/** PyTorch still takes the old names min_value and max_value; they win where they are given. */
function bounds({ min_val, max_val, min_value, max_value }: Options): [Options[string], Options[string]] {
  return [min_value ?? min_val!, max_value ?? max_val!];
}

export const ACTIVATION_LAYERS = {
  ReLU: elementwise({ op: 'relu', options: [inplace], repr: printing() }),
  ReLU6: elementwise({
    op: 'hardtanh',
    options: [inplace],
    attributes: () => ({ a: 0, b: 6 }),
    repr: printing(),
  }),
  LeakyReLU: elementwise({
    op: 'leaky_relu',
    options: [float('negative_slope', 0.01), inplace],
    attributes: ({ negative_slope }) => ({ a: numberOf(negative_slope!) }),
    repr: printing('negative_slope'),
  }),
  ELU: elementwise({
    op: 'elu',
    options: [float('alpha', 1), inplace],
    attributes: ({ alpha }) => ({ a: numberOf(alpha!) }),
    repr: printing('alpha'),
  }),
  SELU: elementwise({ op: 'selu', options: [inplace], repr: printing() }),
  CELU: elementwise({
    op: 'celu',
    options: [float('alpha', 1), inplace],
    attributes: ({ alpha }) => ({ a: numberOf(alpha!) }),
    check: ({ alpha }) => (numberOf(alpha!) === 0 ? ['alpha cannot be 0 for CELU'] : []),
    repr: printing('alpha'),
  }),
  GELU: elementwise({
    op: ({ approximate }) => (approximate === 'tanh' ? 'gelu_tanh' : 'gelu'),
    options: [{ name: 'approximate', kind: 'string', choices: ['none', 'tanh'], default: 'none' }],
    repr: printing('approximate'),
  }),
  SiLU: elementwise({ op: 'silu', options: [inplace], repr: printing() }),
  Sigmoid: elementwise({ op: 'sigmoid' }),
  Tanh: elementwise({ op: 'tanh' }),
  Softplus: elementwise({
    op: 'softplus',
    options: [float('beta', 1), float('threshold', 20)],
    attributes: ({ beta, threshold }) => ({ a: numberOf(beta!), b: numberOf(threshold!) }),
    repr: printing('beta', 'threshold'),
  }),
  Softsign: elementwise({ op: 'softsign' }),
  Hardtanh: elementwise({
    op: 'hardtanh',
    options: [
      float('min_val', -1),
      float('max_val', 1),
      inplace,
      nullable({ name: 'min_value', kind: 'float' }),
      nullable({ name: 'max_value', kind: 'float' }),
    ],
    attributes: (options) => {
      const [low, high] = bounds(options);
      return { a: numberOf(low), b: numberOf(high) };
    },
    check: (options) => {
      const [low, high] = bounds(options);
      if (!(numberOf(high) <= numberOf(low))) return [];
      return [`max_val (${pythonRepr(high)}) must be greater than min_val (${pythonRepr(low)})`];
    },
    repr: (options) => {
      const [min_val, max_val] = bounds(options);
      return printing('min_val', 'max_val')({ ...options, min_val: min_val!, max_val: max_val! });
    },
  }),
  Hardsigmoid: elementwise({ op: 'hardsigmoid', options: [inplace] }),
  Hardswish: elementwise({ op: 'hardswish', options: [inplace] }),
  Mish: elementwise({ op: 'mish', options: [inplace], repr: printing() }),
  LogSigmoid: elementwise({ op: 'log_sigmoid' }),
  Softmax: overDimension(softmax),
  LogSoftmax: overDimension((x, dim, apply) => apply('log_softmax', [x], { dim })),
  Softmin: overDimension((x, dim, apply) =>
    softmax(apply('affine', [x], { scale: -1, shift: 0 }), dim, apply),
  ),
  Softmax2d: {
    options: [],
    trace(_module, x, { tracer }) {
      const rank = x.shape.length;
      if (rank !== 3 && rank !== 4) {
        throw new ShapeError(`Softmax2d: expected input to be 3D or 4D, got ${rank}D instead`);
      }
      return softmax(x, -3, tracer.apply);
    },
    flow: () => ({ changes: 0 }),
    repr: () => '',
  },
} satisfies Record<string, LayerDefinition>;

// The gradients of pools: each output's is shared out to its window.

import { numel } from '../tensor/shape.js';
import type { Kernels } from './kernels.js';
import type { Op, OpAttributes, Operand } from './op.js';
import { adaptiveCost } from './ops-pool-adaptive.js';
import { poolCost, type PoolName } from './ops-pool.js';
import { partsOf, ranges } from './parts.js';
import { plane } from './spatial.js';

const BYTES = 4;

type GradientName = `${PoolName}_gradient`;

/** How one part of a pool's gradient is computed: of `planes` planes, from these addresses on. */
type PlanesGradient = (
  kernels: Kernels,
  at: { readonly x: number; readonly dy: number; readonly dx: number },
  planes: number,
) => void;

interface PlaneExtents {
  readonly h: number;
  readonly w: number;
  readonly oh: number;
  readonly ow: number;
}

/** One element after the other takes as long as so many beside each other. */
const SCALAR = 4;

/** x, gradient of the pool's output → gradient of x, plane by plane. */
function poolGradient<N extends GradientName>(
  bindTo: (attributes: OpAttributes[N], sizes: PlaneExtents) => PlanesGradient,
  cost: (x: Operand, dy: Operand, attributes: OpAttributes[N]) => number,
): Op<N> {
  return {
    shape: ([x]) => ({ shape: x!.shape, dtype: 'float32' }),
    rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
    parts: ({ inputs: [x], attributes: { dims } }, wanted) =>
      partsOf(numel(x!.shape.slice(0, -dims)), wanted, 1),
    bind({ inputs: [x, dy], attributes }, parts) {
      const { dims } = attributes;
      const [[h, w], [oh, ow]] = [plane(x!.shape, dims), plane(dy!.shape, dims)];
      const slices = ranges(numel(x!.shape.slice(0, -dims)), parts, 1);
      const run = bindTo(attributes, { h, w, oh, ow });
      return (kernels, { inputs, output }, part) => {
        const { from, count } = slices[part]!;
        const [image, windows] = [BYTES * from * h * w, BYTES * from * oh * ow];
        const at = { x: inputs[0]! + image, dy: inputs[1]! + windows, dx: output + image };
        run(kernels, at, count);
      };
    },
    cost: ([x, dy], _output, attributes) => numel(x!.shape) + SCALAR * cost(x!, dy!, attributes),
  };
}

export const maxPoolGradient = poolGradient<'max_pool_gradient'>(
  ({ kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], dilation: [dh, dw] }, { h, w, oh, ow }) =>
    (kernels, { x, dy, dx }, n) =>
      kernels.max_pool_gradient(x, dy, dx, n, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw),
  poolCost,
);

export const avgPoolGradient = poolGradient<'avg_pool_gradient'>(
  ({ kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], countIncludePad, divisor }, { h, w, oh, ow }) => {
    const include = countIncludePad ? 1 : 0;
    return (kernels, { dy, dx }, n) =>
      kernels.avg_pool_gradient(dy, dx, n, h, w, oh, ow, kh, kw, sh, sw, ph, pw, include, divisor ?? 0);
  },
  poolCost,
);

export const adaptiveAvgPoolGradient = poolGradient<'adaptive_avg_pool_gradient'>(
  (_attributes, { h, w, oh, ow }) =>
    (kernels, { dy, dx }, n) =>
      kernels.adaptive_avg_pool_gradient(dy, dx, n, h, w, oh, ow),
  (x, dy, { dims }) => adaptiveCost(x, dy, dims),
);

export const adaptiveMaxPoolGradient = poolGradient<'adaptive_max_pool_gradient'>(
  (_attributes, { h, w, oh, ow }) =>
    (kernels, { x, dy, dx }, n) =>
      kernels.adaptive_max_pool_gradient(x, dy, dx, n, h, w, oh, ow),
  (x, dy, { dims }) => adaptiveCost(x, dy, dims),
);

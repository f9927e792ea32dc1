// torch.nn.Bilinear: y = x1ᵀ W x2 + b, as one product of the pairs x1[i] · x2[j] with the matrix W[out, i · j].

import { ShapeError, type Operand } from '../../graph/op.js';
import { requireFloat } from '../../graph/requirements.js';
import type { Value } from '../../graph/tracer.js';
import type { LayerDefinition } from '../layer.js';
import { pythonRepr } from '../options.js';
import { extent, flag } from './arguments.js';

export const BILINEAR_LAYERS = {
  Bilinear: {
    options: [extent('in1_features'), extent('in2_features'), extent('out_features'), flag('bias', true)],
    parameters: ({ in1_features, in2_features, out_features, bias }) => {
      const out = out_features as number;
      const bound = 1 / Math.sqrt(in1_features as number);
      const init = { name: 'uniform', a: -bound, b: bound } as const;
      const shape = [out, in1_features as number, in2_features as number];
      return [
        { name: 'weight', kind: 'parameter', shape, init },
        { name: 'bias', kind: 'parameter', shape: bias === true ? [out] : null, init },
      ];
    },
    inputs: ['input1', 'input2'],
    trace: ({ parameters }, a, { tracer, inputs: [, b] }) => {
      const weight = tracer.read(parameters.get('weight'))!;
      const second = b!;
      requireBilinear(a, second, weight);
      const [out, i, j] = weight.shape as [number, number, number];
      const rows = a.shape.slice(0, -1);
      const reshaped = (x: Value, shape: readonly number[]): Value => tracer.apply('reshape', [x], { shape });
      const pairs = tracer.apply('mul', [reshaped(a, [-1, i, 1]), reshaped(second, [-1, 1, j])], {});
      const matrix = reshaped(weight, [out, i * j]);
      const bias = tracer.read(parameters.get('bias'));
      const y = tracer.apply('linear', [reshaped(pairs, [-1, i * j]), matrix, bias], {});
      return reshaped(y, [...rows, out]);
    },
    flow: ({ out_features }) => ({ changes: 1, gives: { axis: -1, extent: out_features as number } }),
    repr: ({ in1_features, in2_features, out_features, bias }) =>
      `in1_features=${pythonRepr(in1_features!)}, in2_features=${pythonRepr(in2_features!)}, ` +
      `out_features=${pythonRepr(out_features!)}, bias=${pythonRepr(bias!)}`,
  },
} satisfies Record<string, LayerDefinition>;

/** In PyTorch's words. */
function requireBilinear(a: Operand, b: Operand, weight: Operand): void {
  for (const x of [a, b]) requireFloat(x, 'bilinear');
  const [rank, other] = [a.shape.length, b.shape.length];
  if (rank !== other || rank === 0) {
    throw new ShapeError(`bilinear(): input dimensions do not match: got ${rank} and ${other}`);
  }
  a.shape.slice(0, -1).forEach((extent, i) => {
    if (extent === b.shape[i]) return;
    throw new ShapeError(
      `bilinear(): input batch dimensions do not match at dim ${i}: got ${extent} and ${b.shape[i]}`,
    );
  });
  [a, b].forEach(({ shape }, i) => {
    const [got, expected] = [shape.at(-1), weight.shape[i + 1]];
    if (got === expected) return;
    throw new ShapeError(
      `bilinear(): input${i + 1} size does not match weight size: got ${got} but expected ${expected}`,
    );
  });
}

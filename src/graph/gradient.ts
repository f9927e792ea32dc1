// Reverse mode: the graph's list of ops is read from the end, and each op's rule writes down how the gradients of its
// inputs come of that of its output, as ops like all others. What nothing asks for is never written down.

import { OPS } from './ops.js';
import type { Op, OpName } from './op.js';
import type { Node, Source, Tracer, Value } from './tracer.js';

/** Something on the way is not differentiable. */
export class GradientError extends Error {}

/** A value, and what its gradient is to begin with. */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/**
 * The gradients of Σ seeds' values · gradients with respect to each of `wanted`: null where it does not depend on it.
 * Contributions to one value are added in the reverse order of its uses. Throws GradientError.
 */
export function differentiate(
  tracer: Tracer,
  seeds: readonly Seed[],
  wanted: readonly Value[],
): readonly (Value | null)[] {
  const forward = tracer.nodes.length;
  const dependent = dependents(tracer.nodes, wanted);
  const gradients = new Map<string, Value>();
  const add = ({ source }: Value, gradient: Value): void => {
    const key = keyOf(source);
    const known = gradients.get(key);
    gradients.set(key, known ? tracer.apply('add', [known, gradient], {}) : gradient);
  };
  for (const { value, gradient } of seeds) add(value, gradient);
  for (let index = forward - 1; index >= 0; index--) {
    const node = tracer.nodes[index]!;
    const source = { from: 'step', index } as const;
    const gradient = gradients.get(keyOf(source));
    if (!gradient || !dependent.has(keyOf(source))) continue;
    const inputs = node.sources.map((from, i) => from && { ...node.inputs[i]!, source: from });
    const wants = node.sources.map((from) => from !== null && dependent.has(keyOf(from)));
    if (!wants.includes(true)) continue;
    const op: Op<OpName> = OPS[node.op];
    if (!op.gradient) throw new GradientError(`the derivative of ${node.op} is not implemented`);
    const output = { ...node.output, source };
    const { attributes } = node;
    const found = op.gradient({ attributes, inputs, output, gradient, wants }, tracer.apply);
    inputs.forEach((input, i) => {
      const own = found[i];
      if (input && wants[i] && own) add(input, own);
    });
  }
  return wanted.map(({ source }) => gradients.get(keyOf(source)) ?? null);
}

/** The values that come of `wanted`, themselves included. */
function dependents(nodes: readonly Node[], wanted: readonly Value[]): ReadonlySet<string> {
  const found = new Set(wanted.map(({ source }) => keyOf(source)));
  nodes.forEach(({ sources, output }, index) => {
    if (output.dtype !== 'float32') return;
    if (sources.some((source) => source && found.has(keyOf(source)))) {
      found.add(keyOf({ from: 'step', index }));
    }
  });
  return found;
}

function keyOf({ from, index }: Source): string {
  return `${from} ${index}`;
}

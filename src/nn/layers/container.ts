// torch.nn.Sequential, ModuleList and ModuleDict; and two between a Sequential and a Graph: Residual and Parallel.

import type { Value } from '../../graph/tracer.js';
import { ShapeError } from '../../graph/op.js';
import { dimension } from '../../graph/requirements.js';
import type { LayerDefinition, Trace } from '../layer.js';
import { pythonRepr } from '../options.js';

/** What a chain of children makes of x. */
function chain(names: Iterable<string>, x: Value, trace: Trace): Value {
  let value = x;
  for (const name of names) value = trace.child(name, value);
  return value;
}

const MERGES = ['cat', 'sum', 'mean', 'mul'];

function merged(values: readonly Value[], { merge, dim }: Merge, { tracer: { apply } }: Trace): Value {
  const [first, ...others] = values;
  if (!first) throw new ShapeError('Parallel has no branches');
  if (merge === 'cat') return apply('cat', values, { dim: dimension(dim, first.shape.length) });
  const op = merge === 'mul' ? 'mul' : 'add';
  const all = others.reduce((sum, value) => apply(op, [sum, value], {}), first);
  if (merge !== 'mean') return all;
  return apply('div', [all, apply('fill', [], { shape: [], value: values.length })], {});
}

interface Merge {
  readonly merge: string;
  readonly dim: number;
}

export const CONTAINER_LAYERS = {
  Sequential: {
    options: [],
    container: 'index_or_name',
    trace: ({ children }, x, trace) => chain(children.keys(), x, trace),
  },
  ModuleList: { options: [], container: 'index' },
  ModuleDict: { options: [], container: 'name' },
  /** x + f(x), f being the chain of its children. */
  Residual: {
    options: [],
    container: 'index_or_name',
    branches: 'chain',
    trace: ({ children }, x, trace) => trace.tracer.apply('add', [x, chain(children.keys(), x, trace)], {}),
  },
  /** Each child's output for the same x, put together. */
  Parallel: {
    options: [
      { name: 'merge', kind: 'string', choices: MERGES, default: 'cat' },
      { name: 'dim', kind: 'int', default: 1 },
    ],
    container: 'index_or_name',
    branches: 'same',
    trace: ({ children, options: { merge, dim } }, x, trace) => {
      const values = [...children.keys()].map((name) => trace.child(name, x));
      return merged(values, { merge: merge as string, dim: dim as number }, trace);
    },
    repr: ({ merge, dim }) =>
      `merge=${pythonRepr(merge!)}${merge === 'cat' ? `, dim=${pythonRepr(dim!)}` : ''}`,
  },
} satisfies Record<string, LayerDefinition>;

// Records what a module tree does to an input of a known shape, as a list of ops.
// Shapes and dtypes are checked here, in PyTorch's words, before anything runs.

import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import { OPS } from './ops.js';
import { ShapeError, type Op, type OpAttributes, type OpName, type Operand, type Step } from './op.js';

/** A tensor that the graph reads and does not make: told apart by identity. */
export type Stored = Operand;

export type Source =
  | { readonly from: 'input' }
  | { readonly from: 'stored'; readonly index: number }
  | { readonly from: 'step'; readonly index: number };

export interface Value extends Operand {
  readonly source: Source;
}

/** A step and where its inputs come from. */
export interface Node extends Step {
  readonly sources: readonly (Source | null)[];
}

export interface Graph {
  readonly input: Operand;
  readonly output: Value;
  readonly nodes: readonly Node[];
  /** In order of first use; the plan's bindings are their addresses. */
  readonly stored: readonly Stored[];
}

export class Tracer {
  private readonly nodes: Node[] = [];
  private readonly stored = new Map<Stored, number>();
  private readonly path: string[] = [];

  /** The value of a parameter or buffer; null for a registered absence. */
  read(parameter: Stored | null | undefined): Value | null {
    if (!parameter) return null;
    let index = this.stored.get(parameter);
    if (index === undefined) this.stored.set(parameter, (index = this.stored.size));
    return { shape: parameter.shape, dtype: parameter.dtype, source: { from: 'stored', index } };
  }

  apply<N extends OpName>(op: N, inputs: readonly (Value | null)[], attributes: OpAttributes[N]): Value {
    const output = (OPS[op] as Op<N>).shape(inputs, attributes);
    const operands = inputs.map((value) => value && { shape: value.shape, dtype: value.dtype });
    this.nodes.push({
      op,
      attributes,
      inputs: operands,
      output,
      sources: inputs.map((value) => value?.source ?? null),
    });
    return { ...output, source: { from: 'step', index: this.nodes.length - 1 } };
  }

  /** Runs `trace` as the child `name`: a ShapeError from inside learns its path. */
  within<T>(name: string, trace: () => T): T {
    this.path.push(name);
    try {
      return trace();
    } catch (error) {
      if (error instanceof ShapeError) error.path ??= this.path.join('.');
      throw error;
    } finally {
      this.path.pop();
    }
  }

  graph(input: { shape: Shape; dtype: DType }, output: Value): Graph {
    return { input, output, nodes: this.nodes, stored: [...this.stored.keys()] };
  }
}

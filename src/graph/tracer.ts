// Records what a module tree does to inputs of known shapes, as a list of ops.
// Shapes and dtypes are checked here, in PyTorch's words, before anything runs.

import { Generator } from '../random/generator.js';
import { OPS } from './ops.js';
import { ShapeError, type Op, type OpAttributes, type OpName, type Operand, type Step } from './op.js';

/** A tensor that the graph reads and does not make: told apart by identity. */
export type Stored = Operand;

/** The state of the generator that random ops draw from, one after another: bytes that a run binds, and changes. */
export const GENERATOR: Stored = { shape: [Generator.bytes], dtype: 'bool' };

export type Source =
  | { readonly from: 'input'; readonly index: number }
  | { readonly from: 'stored'; readonly index: number }
  | { readonly from: 'step'; readonly index: number };

export interface Value extends Operand {
  readonly source: Source;
}

/** A step and where its inputs come from. */
export interface Node extends Step {
  readonly sources: readonly (Source | null)[];
}

/** A value that a run gives; `bound`: at an address that the run binds, in place of one in its arena. */
export interface Output extends Value {
  readonly bound?: true;
}

export interface Graph {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Output[];
  readonly nodes: readonly Node[];
  /** In order of first use; the plan's bindings are their addresses. */
  readonly stored: readonly Stored[];
}

/** Writes an op down. */
export type Apply = <N extends OpName>(
  op: N,
  inputs: readonly (Value | null)[],
  attributes: OpAttributes[N],
) => Value;

export interface TracerOptions {
  /** What is stored changes from run to run (training): panels of weights are made in each. */
  readonly unpacked?: boolean;
}

export class Tracer {
  readonly nodes: Node[] = [];
  /** What stored tensors are after the run, where that is another value (a BatchNorm's running statistics). */
  readonly updates = new Map<Stored, Value>();
  /** What stands for stored tensors in this graph, which leaves them as they are. */
  private readonly substitutes = new Map<Stored, Value>();
  private readonly options: TracerOptions;
  private readonly inputs: Operand[] = [];
  private readonly stored = new Map<Stored, number>();
  private readonly path: string[] = [];

  constructor(options: TracerOptions = {}) {
    this.options = options;
  }

  /** One more input; a run binds their addresses in this order. */
  input({ shape, dtype }: Operand): Value {
    const index = this.inputs.push({ shape, dtype }) - 1;
    return { shape, dtype, source: { from: 'input', index } };
  }

  /** The value of a parameter or buffer; null for a registered absence. */
  read(parameter: Stored | null | undefined): Value | null {
    if (!parameter) return null;
    const other = this.updates.get(parameter) ?? this.substitutes.get(parameter);
    if (other) return other;
    let index = this.stored.get(parameter);
    if (index === undefined) this.stored.set(parameter, (index = this.stored.size));
    return { shape: parameter.shape, dtype: parameter.dtype, source: { from: 'stored', index } };
  }

  /** From here on the parameter is this value, which a run leaves to its caller. */
  update(parameter: Stored, value: Value): void {
    (this.substitutes.has(parameter) ? this.substitutes : this.updates).set(parameter, value);
  }

  /** From here on this value is read in the parameter's place, and nothing that becomes of it is the parameter's. */
  substitute(parameter: Stored, value: Value): void {
    this.substitutes.set(parameter, value);
  }

  readonly apply: Apply = (op, inputs, attributes) => {
    const row: Op<typeof op> = OPS[op];
    const output = row.shape(inputs, attributes);
    if (this.options.unpacked && row.unpacked) return row.unpacked(inputs, attributes, this.apply);
    const operands = inputs.map((value) => value && { shape: value.shape, dtype: value.dtype });
    this.nodes.push({
      op,
      attributes,
      inputs: operands,
      output,
      sources: inputs.map((value) => value?.source ?? null),
    });
    return { ...output, source: { from: 'step', index: this.nodes.length - 1 } };
  };

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

  graph(...outputs: readonly Output[]): Graph {
    return { inputs: this.inputs, outputs, nodes: this.nodes, stored: [...this.stored.keys()] };
  }
}

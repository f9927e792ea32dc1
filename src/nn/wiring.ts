// How a Graph's modules and ops are wired: each node's inputs by name. Nodes that are modules are the Graph's children.

import type { Value } from '../graph/tracer.js';
import type { Trace } from './layer.js';
import { NODE_OPS, type NodeOpName } from './layers/node-ops.js';
import type { Module } from './module.js';
import type { Options } from './options.js';
import { pythonRepr } from './python-text.js';

export interface NodeOp {
  readonly name: NodeOpName;
  readonly options: Options;
}

export interface WiredNode {
  readonly name: string;
  /** Names of the Graph's inputs and of other nodes. */
  readonly inputs: readonly string[];
  /** null: the child of the node's name. */
  readonly op: NodeOp | null;
}

export interface Wiring {
  readonly inputs: readonly string[];
  /** As they were listed. */
  readonly nodes: readonly WiredNode[];
  readonly outputs: readonly string[];
  /** The nodes, each behind those that it reads. */
  readonly order: readonly WiredNode[];
}

/** The values of a Graph's outputs, in their order. Throws ShapeError. */
export function traceWiring({ wiring }: Module, trace: Trace): Value[] {
  const values = new Map(wiring!.inputs.map((name, i) => [name, trace.inputs[i]!]));
  for (const { name, inputs: read, op } of wiring!.order) {
    const given = read.map((from) => values.get(from)!);
    const value = op
      ? trace.tracer.within(name, () => NODE_OPS[op.name].trace(given, op.options, trace.tracer.apply))
      : trace.child(name, ...given);
    values.set(name, value);
  }
  return wiring!.outputs.map((name) => values.get(name)!);
}

/** One line for the inputs, one for each node, one for the outputs. */
export function wiringRepr({ wiring }: Module): string {
  const { inputs, nodes, outputs } = wiring!;
  const lines = nodes.map(({ name, inputs: read, op }) => {
    const options = op ? givenOptions(op).map(([key, value]) => `${key}=${pythonRepr(value)}`) : [];
    return `${shownName(name)} = ${op?.name ?? shownName(name)}(${[...read.map(shownName), ...options].join(', ')})`;
  });
  const listed = (names: readonly string[]): string => names.map(shownName).join(', ');
  return [`inputs: ${listed(inputs)}`, ...lines, `outputs: ${listed(outputs)}`].join('\n');
}

/** Those that are not at their defaults. */
export function givenOptions({ name, options }: NodeOp): [string, Options[string]][] {
  return NODE_OPS[name].options
    .filter(
      ({ name: key, default: usual }) =>
        usual === undefined || pythonRepr(options[key]!) !== pythonRepr(usual),
    )
    .map(({ name: key }) => [key, options[key]!]);
}

function shownName(name: string): string {
  return /^[A-Za-z_][\w-]*$/.test(name) ? name : pythonRepr(name);
}

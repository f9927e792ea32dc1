// The same graph for another number of rows. Only for graphs whose plans are row-wise: there every value that is made has
// the rows as its dimension 0, and no attribute depends on them.

import type { Operand } from './op.js';
import type { Graph, Node, Source } from './tracer.js';

export function withRows(graph: Graph, rows: number): Graph {
  return {
    inputs: graph.inputs.map((input) => resize(input, rows)),
    outputs: graph.outputs.map((output) => ({ ...output, ...resize(output, rows) })),
    nodes: graph.nodes.map((node) => resizeNode(node, rows)),
    stored: graph.stored,
  };
}

function resizeNode(node: Node, rows: number): Node {
  const { sources } = node;
  const inputs = node.inputs.map((operand, i) => operand && resizeUnlessStored(operand, sources[i]!, rows));
  return { ...node, inputs, output: resize(node.output, rows) };
}

function resizeUnlessStored(operand: Operand, source: Source, rows: number): Operand {
  return source.from === 'stored' ? operand : resize(operand, rows);
}

function resize({ shape, dtype }: Operand, rows: number): Operand {
  return { shape: [rows, ...shape.slice(1)], dtype };
}

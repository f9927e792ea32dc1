// The same graph for another number of rows. Only for graphs whose plans are row-wise: there every value that comes of
// the input has the rows as its dimension 0, all others are the same for any rows, and no attribute depends on them.

import type { Operand } from './op.js';
import type { Graph, Node, Source } from './tracer.js';

/** Whether a source comes of the graph's inputs: it has rows then. */
export function rowsOf({ nodes }: Pick<Graph, 'nodes'>): (source: Source | null) => boolean {
  const made: boolean[] = [];
  const has = (source: Source | null): boolean =>
    source !== null && (source.from === 'input' || (source.from === 'step' && made[source.index]!));
  for (const { sources } of nodes) made.push(sources.some(has));
  return has;
}

export function withRows(graph: Graph, rows: number): Graph {
  const has = rowsOf(graph);
  const resizeNode = (node: Node): Node => {
    const { sources } = node;
    if (!sources.some(has)) return node;
    const inputs = node.inputs.map(
      (operand, i) => operand && (has(sources[i]!) ? resize(operand, rows) : operand),
    );
    return { ...node, inputs, output: resize(node.output, rows) };
  };
  return {
    inputs: graph.inputs.map((input) => resize(input, rows)),
    outputs: graph.outputs.map((output) => ({ ...output, ...resize(output, rows) })),
    nodes: graph.nodes.map(resizeNode),
    stored: graph.stored,
  };
}

function resize({ shape, dtype }: Operand, rows: number): Operand {
  return { shape: [rows, ...shape.slice(1)], dtype };
}

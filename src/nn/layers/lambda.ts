// A layer without parameters that computes an expression over x: Lambda("x - mean(x)").

import { ShapeError } from '../../graph/op.js';
import { ExpressionError } from '../expression/syntax.js';
import { traceFormula } from '../formula-ops.js';
import { parseFormula } from '../formula.js';
import type { LayerDefinition } from '../layer.js';
import { pythonRepr } from '../options.js';

function wrong(text: string): string | undefined {
  try {
    parseFormula(text);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

export const LAMBDA_LAYERS = {
  Lambda: {
    options: [{ name: 'expression', kind: 'text', wrong }],
    trace: ({ options: { expression } }, x, { tracer }) => {
      try {
        return traceFormula(parseFormula(expression as string), x, tracer.apply);
      } catch (error) {
        if (error instanceof ShapeError) error.message += `, in ${expression as string}`;
        throw error;
      }
    },
    repr: ({ expression }) => `expression=${pythonRepr(expression!)}`,
  },
} satisfies Record<string, LayerDefinition>;

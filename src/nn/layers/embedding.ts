// torch.nn.Embedding. What changes the table during a forward (max_norm) or its gradient alone is not here.

import type { LayerDefinition } from '../layer.js';
import { numberOf, pythonRepr, type Options } from '../options.js';
import { extent, float, nullable } from './arguments.js';

/** The padding row, counted from the start. */
function paddingRow({ padding_idx, num_embeddings }: Options): number | undefined {
  if (padding_idx === null) return undefined;
  const row = padding_idx as number;
  return row < 0 ? row + (num_embeddings as number) : row;
}

export const EMBEDDING_LAYERS = {
  Embedding: {
    options: [
      extent('num_embeddings'),
      extent('embedding_dim'),
      nullable({ name: 'padding_idx', kind: 'int' }),
      nullable({ name: 'max_norm', kind: 'float', supported: [null] }),
      float('norm_type', 2),
      { name: 'scale_grad_by_freq', kind: 'bool', default: false, supported: [false] },
      { name: 'sparse', kind: 'bool', default: false, supported: [false] },
    ],
    check: (options) => {
      const row = paddingRow(options);
      const within = row === undefined || (row >= 0 && row < (options.num_embeddings as number));
      return within ? [] : ['Padding_idx must be within num_embeddings'];
    },
    parameters: (options) => {
      const shape = [options.num_embeddings as number, options.embedding_dim as number];
      const zeroRow = paddingRow(options);
      return [
        {
          name: 'weight',
          kind: 'parameter',
          shape,
          init: { name: 'normal' },
          ...(zeroRow !== undefined && { zeroRow }),
        },
      ];
    },
    trace: ({ parameters }, x, { tracer }) =>
      tracer.apply('embedding', [x, tracer.read(parameters.get('weight'))], {}),
    flow: ({ embedding_dim }) => ({
      changes: Infinity,
      gives: { axis: -1, extent: embedding_dim as number },
    }),
    repr: (options) => {
      const { num_embeddings, embedding_dim, norm_type } = options;
      const row = paddingRow(options);
      return (
        `${pythonRepr(num_embeddings!)}, ${pythonRepr(embedding_dim!)}` +
        (row === undefined ? '' : `, padding_idx=${row}`) +
        (numberOf(norm_type!) === 2 ? '' : `, norm_type=${pythonRepr(norm_type!)}`)
      );
    },
  },
} satisfies Record<string, LayerDefinition>;

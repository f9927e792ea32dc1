// torch.nn.Embedding and EmbeddingBag. What changes the table during a forward (max_norm) is not here, nor are sparse
// gradients.

import type { BagMode } from '../../graph/ops-embedding.js';
import type { ExtentFlow, LayerDefinition, OptionDefinition, ParameterDefinition } from '../layer.js';
import { numberOf, pythonRepr, type Options } from '../options.js';
import { extent, flag, float, nullable } from './arguments.js';

/** The padding row, counted from the start. */
function paddingRow({ padding_idx, num_embeddings }: Options): number | undefined {
  if (padding_idx === null) return undefined;
  const row = padding_idx as number;
  return row < 0 ? row + (num_embeddings as number) : row;
}

/** A look-up that rescales rows in place would change what others read. */
const maxNorm: OptionDefinition = nullable({ name: 'max_norm', kind: 'float', supported: [null] });
const sparse: OptionDefinition = { name: 'sparse', kind: 'bool', default: false, supported: [false] };
const paddingIndex: OptionDefinition = nullable({ name: 'padding_idx', kind: 'int' });

function withinTable(options: Options, message: string): string[] {
  const row = paddingRow(options);
  const within = row === undefined || (row >= 0 && row < (options.num_embeddings as number));
  return within ? [] : [message];
}

function table(options: Options, zeroRow?: number): ParameterDefinition[] {
  const shape = [options.num_embeddings as number, options.embedding_dim as number];
  const init = { name: 'normal' } as const;
  return [{ name: 'weight', kind: 'parameter', shape, init, ...(zeroRow !== undefined && { zeroRow }) }];
}

/** What the gradient of the table asks for. */
function gradientOptions(options: Options): { padding?: number; byFrequency?: boolean } {
  const padding = paddingRow(options);
  return {
    ...(padding !== undefined && { padding }),
    ...(options.scale_grad_by_freq === true && { byFrequency: true }),
  };
}

function flow({ embedding_dim }: Options): ExtentFlow {
  return { changes: Infinity, gives: { axis: -1, extent: embedding_dim as number } };
}

export const EMBEDDING_LAYERS = {
  Embedding: {
    options: [
      extent('num_embeddings'),
      extent('embedding_dim'),
      paddingIndex,
      maxNorm,
      float('norm_type', 2),
      flag('scale_grad_by_freq', false),
      sparse,
    ],
    check: (options) => withinTable(options, 'Padding_idx must be within num_embeddings'),
    parameters: (options) => table(options, paddingRow(options)),
    trace: ({ parameters, options }, x, { tracer }) =>
      tracer.apply('embedding', [x, tracer.read(parameters.get('weight'))], gradientOptions(options)),
    flow,
    repr: (options) => {
      const { num_embeddings, embedding_dim, norm_type, scale_grad_by_freq } = options;
      const row = paddingRow(options);
      return (
        `${pythonRepr(num_embeddings!)}, ${pythonRepr(embedding_dim!)}` +
        (row === undefined ? '' : `, padding_idx=${row}`) +
        (numberOf(norm_type!) === 2 ? '' : `, norm_type=${pythonRepr(norm_type!)}`) +
        (scale_grad_by_freq === true ? ', scale_grad_by_freq=True' : '')
      );
    },
  },
  EmbeddingBag: {
    options: [
      extent('num_embeddings'),
      extent('embedding_dim'),
      maxNorm,
      float('norm_type', 2),
      flag('scale_grad_by_freq', false),
      { name: 'mode', kind: 'string', choices: ['sum', 'mean', 'max'], default: 'mean' },
      sparse,
      flag('include_last_offset', false),
      paddingIndex,
    ],
    check: (options) => [
      ...withinTable(options, 'padding_idx must be within num_embeddings'),
      ...(options.mode === 'max' && options.scale_grad_by_freq === true
        ? ['max mode does not support scaling the gradient by the frequency']
        : []),
    ],
    // The padding row is drawn like all others, and never read.
    parameters: (options) => table(options),
    inputs: ['input', 'offsets?'],
    trace: ({ parameters, options }, x, { tracer, inputs: [, offsets = null] }) =>
      tracer.apply('embedding_bag', [x, tracer.read(parameters.get('weight')), offsets], {
        mode: options.mode as BagMode,
        ends: options.include_last_offset === true,
        ...gradientOptions(options),
      }),
    flow,
    repr: (options) => {
      const { num_embeddings, embedding_dim, norm_type, scale_grad_by_freq, mode } = options;
      const row = paddingRow(options);
      return (
        `${pythonRepr(num_embeddings!)}, ${pythonRepr(embedding_dim!)}` +
        (numberOf(norm_type!) === 2 ? '' : `, norm_type=${pythonRepr(norm_type!)}`) +
        (scale_grad_by_freq === true ? ', scale_grad_by_freq=True' : '') +
        `, mode=${pythonRepr(mode!)}` +
        (row === undefined ? '' : `, padding_idx=${row}`)
      );
    },
  },
} satisfies Record<string, LayerDefinition>;

// torch.nn.RNN, LSTM and GRU. A forward gives the states of the last layer at every step, PyTorch's first result. Their
// projections (proj_size) are not here.

import { DTypeError, ShapeError, type Operand } from '../../graph/op.js';
import { gatesOf, type Cell } from '../../graph/recurrence.js';
import type { Value } from '../../graph/tracer.js';
import type { LayerDefinition, OptionDefinition, ParameterDefinition, Trace } from '../layer.js';
import type { Module } from '../module.js';
import { numberOf, PythonFloat, pythonRepr, type Options } from '../options.js';
import { extent, flag, float } from './arguments.js';
import { dropout } from './dropout.js';

/** More than anyone stacks: what is built is bounded before it is. */
const MAX_LAYERS = 1000;

export const RECURRENT_LAYERS = {
  RNN: recurrent('RNN', ({ nonlinearity }) => (nonlinearity === 'relu' ? 'rnn_relu' : 'rnn_tanh')),
  LSTM: recurrent('LSTM', () => 'lstm'),
  GRU: recurrent('GRU', () => 'gru'),
};

type CellOf = (options: Options) => Cell;

function recurrent(type: 'RNN' | 'LSTM' | 'GRU', cellOf: CellOf): LayerDefinition {
  const nonlinearity: OptionDefinition = {
    name: 'nonlinearity',
    kind: 'string',
    choices: ['tanh', 'relu'],
    default: 'tanh',
  };
  const projection: OptionDefinition = {
    name: 'proj_size',
    kind: 'int',
    minimum: 0,
    default: 0,
    supported: [0],
  };
  return {
    options: [
      extent('input_size'),
      extent('hidden_size'),
      { name: 'num_layers', kind: 'int', minimum: 1, default: 1 },
      ...(type === 'RNN' ? [nonlinearity] : []),
      flag('bias', true),
      flag('batch_first', false),
      float('dropout', 0),
      flag('bidirectional', false),
      ...(type === 'LSTM' ? [projection] : []),
    ],
    check: ({ dropout, num_layers }) => [
      ...(numberOf(dropout!) >= 0 && numberOf(dropout!) <= 1
        ? []
        : [
            'dropout should be a number in range [0, 1] representing the probability of an element being zeroed',
          ]),
      ...((num_layers as number) <= MAX_LAYERS ? [] : [`num_layers can be at most ${MAX_LAYERS}`]),
    ],
    parameters: (options) => parametersOf(options, gatesOf(cellOf(options))),
    trace: (module, x, trace) => traceLayers(type, module, x, { cell: cellOf(module.options), trace }),
    flow: (options) => ({
      takes: { axes: [-1], extent: options.input_size as number, of: 'features' },
      changes: 1,
      gives: { axis: -1, extent: (options.hidden_size as number) * suffixesOf(options).length },
    }),
    repr,
  };
}

/** One for each direction, in the order in which they are registered and run. */
function suffixesOf({ bidirectional }: Options): readonly ('' | '_reverse')[] {
  return bidirectional === true ? ['', '_reverse'] : [''];
}

function parametersOf(options: Options, gates: number): ParameterDefinition[] {
  const hidden = options.hidden_size as number;
  const suffixes = suffixesOf(options);
  const bound = 1 / Math.sqrt(hidden);
  const parameters: ParameterDefinition[] = [];
  for (let layer = 0; layer < (options.num_layers as number); layer++) {
    const inputs = layer === 0 ? (options.input_size as number) : hidden * suffixes.length;
    for (const suffix of suffixes) {
      const shapes: [string, number[]][] = [
        ['weight_ih', [gates * hidden, inputs]],
        ['weight_hh', [gates * hidden, hidden]],
      ];
      if (options.bias === true) shapes.push(['bias_ih', [gates * hidden]], ['bias_hh', [gates * hidden]]);
      for (const [name, shape] of shapes) {
        const init = { name: 'uniform', a: -bound, b: bound } as const;
        parameters.push({ name: `${name}_l${layer}${suffix}`, kind: 'parameter', shape, init });
      }
    }
  }
  return parameters;
}

function traceLayers(
  type: string,
  { options, parameters }: Module,
  x: Value,
  { cell, trace }: { cell: Cell; trace: Trace },
): Value {
  const { tracer } = trace;
  requireSequence(type, x, options);
  // What has no batch is a batch of one.
  const batched = x.shape.length === 3;
  const batchFirst = options.batch_first === true || !batched;
  let value = batched ? x : tracer.apply('reshape', [x], { shape: [1, ...x.shape] });
  const layers = options.num_layers as number;
  for (let layer = 0; layer < layers; layer++) {
    const read = (name: string): Value | null => tracer.read(parameters.get(name));
    const directions = suffixesOf(options).map((suffix) => {
      const at = `l${layer}${suffix}`;
      const projected = tracer.apply('linear', [value, read(`weight_ih_${at}`), read(`bias_ih_${at}`)], {});
      return tracer.apply('recurrence', [projected, read(`weight_hh_${at}`), read(`bias_hh_${at}`)], {
        cell,
        batchFirst,
        reverse: suffix === '_reverse',
      });
    });
    value = directions.length === 1 ? directions[0]! : tracer.apply('cat', directions, { dim: 2 });
    if (layer < layers - 1) value = dropBetween(value, { p: numberOf(options.dropout!), batchFirst, trace });
  }
  return batched ? value : tracer.apply('reshape', [value], { shape: value.shape.slice(1) });
}

/** PyTorch draws step by step, whatever comes first in the input. */
function dropBetween(
  value: Value,
  { p, batchFirst, trace }: { p: number; batchFirst: boolean; trace: Trace },
): Value {
  if (trace.mode === 'eval' || p === 0) return value;
  if (!batchFirst) return dropout(trace, value, p);
  const turned = (x: Value): Value => trace.tracer.apply('permute', [x], { dims: [1, 0, 2] });
  return turned(dropout(trace, turned(value), p));
}

/** In PyTorch's words. */
function requireSequence(type: string, { shape, dtype }: Operand, options: Options): void {
  const features = options.input_size as number;
  if (dtype !== 'float32') {
    throw new DTypeError(`input must have the type torch.float32, got type torch.${dtype}`);
  }
  if (shape.length !== 2 && shape.length !== 3) {
    throw new ShapeError(`${type}: Expected input to be 2D or 3D, got ${shape.length}D instead`);
  }
  if (shape.at(-1) !== features) {
    throw new ShapeError(
      `input.size(-1) must be equal to input_size. Expected ${features}, got ${shape.at(-1)}`,
    );
  }
  if (shape[shape.length === 3 && options.batch_first === true ? 1 : 0] === 0) {
    throw new ShapeError('Expected sequence length to be larger than 0 in RNN');
  }
}

function repr(options: Options): string {
  const { input_size, hidden_size, num_layers, bias, batch_first, bidirectional } = options;
  const dropout = numberOf(options.dropout!);
  return [
    `${pythonRepr(input_size!)}, ${pythonRepr(hidden_size!)}`,
    ...(num_layers === 1 ? [] : [`num_layers=${pythonRepr(num_layers!)}`]),
    ...(bias === true ? [] : ['bias=False']),
    ...(batch_first === true ? ['batch_first=True'] : []),
    ...(dropout === 0
      ? []
      : [`dropout=${pythonRepr(Number.isInteger(dropout) ? new PythonFloat(dropout) : dropout)}`]),
    ...(bidirectional === true ? ['bidirectional=True'] : []),
  ].join(', ');
}

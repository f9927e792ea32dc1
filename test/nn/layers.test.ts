// Every layer type against what PyTorch 2.13 makes of the same constructor call (test/fixtures/make-layers.py).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tracer } from '#src/graph/tracer.js';
import { readArchitecture } from '#src/nn/architecture.js';
import { LAYERS, layerType, type LayerType } from '#src/nn/layers/table.js';
import { everyName, namedModules, type Module } from '#src/nn/module.js';
import { printModule } from '#src/nn/notation/print.js';
import { PythonFloat, pythonRepr, type OptionValue } from '#src/nn/options.js';
import { traceModule } from '#src/nn/trace.js';

interface Case {
  architecture: { type: LayerType } & Record<string, unknown>;
  repr: string;
  state: [name: string, shape: number[], dtype: string][];
  absent: string[];
  modules?: string[];
}
const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/layers-repr.json', import.meta.url), 'utf8'),
  (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'float' in value ? floatOf(value.float as string) : value,
) as { cases: Case[]; mixed: Case[]; defaults: Record<string, [string, OptionValue?][]> };

function floatOf(text: string): OptionValue {
  const infinite = { inf: Infinity, '-inf': -Infinity }[text];
  return infinite ?? new PythonFloat(Number(text));
}

const LIMITS = { maxModules: 1000, maxDepth: 64 };

function read(architecture: unknown): Module {
  const read = readArchitecture(architecture, LIMITS);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read.root;
}

function state(root: Module) {
  return everyName(root).map(({ path, value }) => [path, value.shape, value.dtype]);
}

describe('each constructor call has the print, state keys, shapes and dtypes of PyTorch', () => {
  it.each(fixture.cases.map((call) => [JSON.stringify(call.architecture), call] as const))(
    '%s',
    (_name, call) => {
      const module = read(call.architecture);
      expect(printModule(module)).toBe(call.repr);
      expect(state(module)).toEqual(call.state);
      const absent = [...module.parameters]
        .filter(([, parameter]) => parameter === null)
        .map(([name]) => name);
      expect(absent).toEqual(call.absent);
    },
  );
});

describe('whole networks have the print, names and state keys of PyTorch', () => {
  it.each(fixture.mixed.map((network) => [network.repr, network] as const))('%s', (_name, network) => {
    const root = read(network.architecture);
    expect(printModule(root)).toBe(network.repr);
    expect(state(root)).toEqual(network.state);
    expect(namedModules(root).map(({ path }) => path)).toEqual(network.modules);
  });
});

describe('the table of layers', () => {
  it('has the arguments of each PyTorch constructor in its order with its defaults', () => {
    const print = (value: OptionValue | undefined): string =>
      value === undefined ? 'required' : pythonRepr(value);
    for (const [type, expected] of Object.entries(fixture.defaults)) {
      const own = LAYERS[type as LayerType].options.map(({ name, default: usual }) => [name, print(usual)]);
      const pytorch = expected.map(([name, ...rest]) => [name, print(rest[0])]);
      expect([type, own]).toEqual([type, pytorch]);
    }
  });

  it('is covered by the fixture, containers, what PyTorch has not, and what has no state yet apart', () => {
    const covered = new Set([...fixture.cases.map(({ architecture }) => architecture.type), 'Lambda']);
    const missing = Object.entries(LAYERS).filter(
      ([type, { container, lazy }]) => !container && !lazy && !covered.has(type as LayerType),
    );
    expect(missing.map(([type]) => type)).toEqual([]);
  });

  it('knows a type with and without its package, and nothing from Object.prototype', () => {
    expect(['Linear', 'nn.Linear', 'torch.nn.Linear'].map(layerType)).toEqual(['Linear', 'Linear', 'Linear']);
    const none = ['linear', 'nn.', '', 'toString', '__proto__', 'constructor', 'foo.Linear', 'nn.nn.Linear'];
    expect(none.map(layerType)).toEqual(none.map(() => undefined));
  });
});

describe('a layer draws its parameters as reset_parameters does', () => {
  const drawn = (architecture: unknown) => {
    const read = readArchitecture(architecture, LIMITS);
    if ('faults' in read) throw new Error(JSON.stringify(read.faults));
    return read.drawn.map(({ name, init, zeroRow }) => [
      name,
      init,
      ...(zeroRow === undefined ? [] : [zeroRow]),
    ]);
  };

  it('Linear: weight by kaiming_uniform with a = sqrt(5), then bias within 1 / sqrt(in_features)', () => {
    expect(drawn({ type: 'Linear', in_features: 16, out_features: 3 })).toEqual([
      ['weight', { name: 'kaiming_uniform', a: Math.sqrt(5) }],
      ['bias', { name: 'uniform', a: -0.25, b: 0.25 }],
    ]);
  });

  it('Conv2d: the fan of one output counts the channels of its group alone', () => {
    const [, bias] = drawn({
      type: 'Conv2d',
      in_channels: 8,
      out_channels: 4,
      kernel_size: [2, 1],
      groups: 2,
    });
    expect(bias).toEqual(['bias', { name: 'uniform', a: -1 / Math.sqrt(8), b: 1 / Math.sqrt(8) }]);
  });

  it('Embedding: the padding row is zero after the draw, counted from the start', () => {
    const table = { type: 'Embedding', num_embeddings: 5, embedding_dim: 2 };
    expect(drawn(table)).toEqual([['weight', { name: 'normal' }]]);
    expect(drawn({ ...table, padding_idx: -2 })).toEqual([['weight', { name: 'normal' }, 3]]);
  });

  it('BatchNorm1d: ones and zeros, for the statistics too', () => {
    expect(drawn({ type: 'BatchNorm1d', num_features: 2 })).toEqual([
      ['weight', { name: 'ones' }],
      ['bias', { name: 'zeros' }],
      ['running_mean', { name: 'zeros' }],
      ['running_var', { name: 'ones' }],
      ['num_batches_tracked', { name: 'zeros' }],
    ]);
  });
});

describe('a traced forward', () => {
  const ops = (architecture: unknown, shape: number[], dtype: 'float32' | 'int64' = 'float32') => {
    const tracer = new Tracer();
    const output = traceModule(tracer, read(architecture), tracer.input({ shape, dtype }));
    return { ops: tracer.graph(output).nodes.map(({ op }) => op), shape: output.shape };
  };
  /** An input for each type, and the shape PyTorch gives. */
  const SHAPES: Partial<Record<LayerType, [given: object, input: number[], output: number[]]>> = {
    Linear: [{ in_features: 4, out_features: 8 }, [2, 3, 4], [2, 3, 8]],
    Conv1d: [{ in_channels: 2, out_channels: 3, kernel_size: 3, padding: 'same' }, [5, 2, 7], [5, 3, 7]],
    Conv2d: [
      { in_channels: 2, out_channels: 3, kernel_size: [3, 1], stride: [2, 1] },
      [5, 2, 7, 7],
      [5, 3, 3, 7],
    ],
    MaxPool1d: [{ kernel_size: 2 }, [5, 2, 7], [5, 2, 3]],
    MaxPool2d: [{ kernel_size: [3, 2], stride: [1], padding: 1 }, [2, 7, 7], [2, 7, 8]],
    AvgPool1d: [{ kernel_size: [2], stride: null, ceil_mode: true }, [5, 2, 7], [5, 2, 4]],
    AvgPool2d: [{ kernel_size: 3, stride: 2, padding: 1 }, [2, 3, 8, 8], [2, 3, 4, 4]],
    AdaptiveAvgPool1d: [{ output_size: null }, [2, 3, 8], [2, 3, 8]],
    AdaptiveAvgPool2d: [{ output_size: [null, 2] }, [2, 3, 8, 8], [2, 3, 8, 2]],
    AdaptiveMaxPool1d: [{ output_size: 5 }, [3, 8], [3, 5]],
    AdaptiveMaxPool2d: [{ output_size: 3 }, [2, 3, 8, 8], [2, 3, 3, 3]],
    Conv3d: [
      { in_channels: 2, out_channels: 3, kernel_size: 3, stride: [1, 2, 1] },
      [5, 2, 4, 7, 3],
      [5, 3, 2, 3, 1],
    ],
    ConvTranspose1d: [{ in_channels: 2, out_channels: 3, kernel_size: 3, stride: 2 }, [2, 4], [3, 9]],
    ConvTranspose2d: [
      { in_channels: 2, out_channels: 3, kernel_size: 3, stride: 2, padding: 1, output_padding: 1 },
      [5, 2, 4, 4],
      [5, 3, 8, 8],
    ],
    ...padShapes(),
    Upsample: [{ scale_factor: [2, 1.7], mode: 'bilinear' }, [2, 3, 4, 4], [2, 3, 8, 6]],
    UpsamplingNearest2d: [{ size: 3 }, [2, 3, 4, 4], [2, 3, 3, 3]],
    UpsamplingBilinear2d: [{ scale_factor: 2 }, [2, 3, 4, 4], [2, 3, 8, 8]],
    PixelShuffle: [{ upscale_factor: 2 }, [2, 8, 3, 4], [2, 2, 6, 8]],
    PixelUnshuffle: [{ downscale_factor: 2 }, [2, 6, 8], [8, 3, 4]],
    Unflatten: [{ dim: 1, unflattened_size: [2, -1] }, [5, 6, 3], [5, 2, 3, 3]],
    BatchNorm1d: [{ num_features: 3, affine: false }, [2, 3], [2, 3]],
    BatchNorm2d: [{ num_features: 3 }, [2, 3, 4, 4], [2, 3, 4, 4]],
    BatchNorm3d: [{ num_features: 3 }, [2, 3, 4, 4, 2], [2, 3, 4, 4, 2]],
    InstanceNorm1d: [{ num_features: 3 }, [2, 3, 4], [2, 3, 4]],
    InstanceNorm2d: [{ num_features: 3 }, [3, 4, 4], [3, 4, 4]],
    InstanceNorm3d: [{ num_features: 3, track_running_stats: true }, [2, 3, 4, 4, 2], [2, 3, 4, 4, 2]],
    GroupNorm: [{ num_groups: 2, num_channels: 6 }, [2, 6, 5], [2, 6, 5]],
    RMSNorm: [{ normalized_shape: [3, 4] }, [2, 3, 4], [2, 3, 4]],
    LayerNorm: [{ normalized_shape: [3, 4] }, [2, 3, 4], [2, 3, 4]],
    RNN: [{ input_size: 4, hidden_size: 5 }, [3, 2, 4], [3, 2, 5]],
    LSTM: [{ input_size: 4, hidden_size: 5, bidirectional: true }, [3, 2, 4], [3, 2, 10]],
    GRU: [{ input_size: 4, hidden_size: 5, num_layers: 2 }, [3, 4], [3, 5]],
    NonDynamicallyQuantizableLinear: [{ in_features: 4, out_features: 8 }, [2, 3, 4], [2, 3, 8]],
    MultiheadAttention: [{ embed_dim: 4, num_heads: 2 }, [3, 2, 4], [3, 2, 4]],
    TransformerEncoderLayer: [{ d_model: 4, nhead: 2 }, [3, 4], [3, 4]],
    TransformerEncoder: [
      { encoder_layer: { type: 'TransformerEncoderLayer', d_model: 4, nhead: 2 }, num_layers: 2 },
      [3, 2, 4],
      [3, 2, 4],
    ],
    Flatten: [{}, [2, 3, 4], [2, 12]],
    Lambda: [{ expression: 'x - mean(x)' }, [2, 3], [2, 3]],
    Threshold: [{ threshold: 0, value: 1 }, [2, 3], [2, 3]],
    GLU: [{ dim: 1 }, [2, 6], [2, 3]],
    Softmax2d: [{}, [2, 3, 4], [2, 3, 4]],
  };

  /** Each pad by 1, of a tensor whose extents are all 3. */
  function padShapes() {
    const kinds = ['Zero', 'Constant', 'Reflection', 'Replication', 'Circular'];
    return Object.fromEntries(
      [1, 2, 3].flatMap((dims) =>
        kinds.map((kind): [string, [object, number[], number[]]] => {
          const [input, output] = [Array<number>(dims + 2).fill(3), Array<number>(dims + 2).fill(5)];
          return [`${kind}Pad${dims}d`, [padOptions(kind), input, [3, 3, ...output.slice(2)]]];
        }),
      ),
    );
  }
  function padOptions(kind: string): object {
    return kind === 'Constant' ? { padding: 1, value: 2 } : { padding: 1 };
  }

  it.each(Object.keys(LAYERS) as LayerType[])('of %s has the shape that PyTorch gives', (type) => {
    if (LAYERS[type].container || LAYERS[type].lazy) return;
    if (type === 'Bilinear') return; // takes two inputs: layers/embedding.test.ts
    if (type === 'EmbeddingBag') {
      const table = { type, num_embeddings: 5, embedding_dim: 2 };
      expect(ops(table, [3, 4], 'int64')).toEqual({ ops: ['embedding_bag'], shape: [3, 2] });
      return;
    }
    if (type === 'Embedding') {
      const table = { type, num_embeddings: 5, embedding_dim: 2 };
      expect(ops(table, [3, 4], 'int64')).toEqual({ ops: ['embedding'], shape: [3, 4, 2] });
      return;
    }
    const [given, input, output] = SHAPES[type] ?? [{}, [2, 3], [2, 3]];
    expect(ops({ type, ...given }, input).shape).toEqual(output);
  });

  it('runs the children of a Sequential in order, each occurrence of a shared one', () => {
    const children = [{ type: 'ReLU' }, { type: 'Tanh' }, { ref: '0' }];
    expect(ops({ type: 'Sequential', children }, [2]).ops).toEqual(['relu', 'tanh', 'relu']);
  });

  it('names the module in which a shape does not fit', () => {
    const inner = {
      type: 'Sequential',
      children: [{ type: 'Linear', in_features: 4, out_features: 8, name: 'fc 1' }],
    };
    const wrong = expect.objectContaining({
      message: 'mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)',
      path: '0.fc 1',
    }) as Error;
    expect(() => ops({ type: 'Sequential', children: [inner] }, [2, 5])).toThrow(wrong);
  });

  it('of a ModuleList is refused, also inside a Sequential', () => {
    const list = { type: 'ModuleList' };
    expect(() => ops({ type: 'Sequential', children: [list] }, [2])).toThrow(
      'module "0" (ModuleList) has no forward',
    );
  });
});

// What requests may say: the schemas that several routes share. A tensor and an architecture are one opaque value here,
// decoded by their own codecs, and documented in full.

import { z } from 'zod';
import { count, documented, examples } from '../src/plugins/schema.js';
import { RawTensor } from '../src/tensor/raw-tensor.js';

const ref = (id: string) => ({ $ref: `#/components/schemas/${id}` });

/** Any value; being there is all that is checked. Keywords go into the document as they are. */
function opaque(id: string, keywords: Record<string, unknown>) {
  return z
    .custom<unknown>((value) => value !== undefined, 'is required')
    .register(documented, { id, ...keywords });
}

opaque('NestedList', {
  description: 'Nested lists of numbers, all of one length at each depth.',
  type: 'array',
  items: { anyOf: [ref('NestedListInput'), ref('NumberInput')] },
});

opaque('Number', {
  description: 'A number, a bool, or one of the numbers that JSON has no words for.',
  anyOf: [
    { type: 'number' },
    { type: 'boolean' },
    { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] },
  ],
});

/** `{field: tensor}`, or the tensor alone: a raw body comes as one. */
export function orRaw(field: string) {
  return (body: unknown): unknown => (body instanceof RawTensor ? { [field]: body } : body);
}

export const tensor = opaque('Tensor', {
  description: 'A number, nested lists, or shape and row-major data.',
  anyOf: [
    ref('NumberInput'),
    ref('NestedListInput'),
    {
      type: 'object',
      properties: {
        dtype: { type: 'string', enum: ['float32', 'int64', 'int32', 'bool'], default: 'float32' },
        shape: { type: 'array', items: { type: 'integer', minimum: 0 } },
        data: { type: 'array', items: ref('NumberInput') },
      },
      required: ['shape', 'data'],
      additionalProperties: false,
    },
  ],
  examples: [
    [
      [1, 2],
      [3, 4],
    ],
    { dtype: 'float32', shape: [2, 2], data: [1, 2, 3, 4] },
  ],
});

export const inputs = opaque('Inputs', {
  description: 'A tensor; of a module with several inputs, an object of tensors by name.',
  anyOf: [ref('TensorInput'), { type: 'object', additionalProperties: ref('TensorInput') }],
  examples: [[[1, 2, 3, 4]], { left: [[1, 2]], right: [[3, 4]] }],
});

export const targets = opaque('Targets', {
  description:
    'What a loss compares the output with: a tensor; of a loss that takes several, an object of them by name.',
  anyOf: [ref('TensorInput'), { type: 'object', additionalProperties: ref('TensorInput') }],
  examples: [[[1]], { target: [[1]], var: [[0.5]] }],
});

const columns = {
  anyOf: [
    { type: 'string', description: 'A column as it is.' },
    { type: 'array', items: { type: 'string' }, minItems: 1, description: 'Columns side by side.' },
  ],
};

export const examplesOf = opaque('Examples', {
  description:
    'Tensors with a row for each example; or names of columns of the data set; of several tensors an object by name.',
  anyOf: [ref('InputsInput'), columns, { type: 'object', additionalProperties: columns }],
  examples: [[[1, 2, 3, 4]], 'x', ['x1', 'x2'], { left: 'a', right: ['b', 'c'] }],
});

const modules = { type: 'object', additionalProperties: ref('ModuleInput') };

opaque('Module', {
  description:
    "A module: its type, the options of that type's PyTorch constructor, and children where it has some. " +
    '`block` makes a new instance of a block, `shared` places the one of that name, `ref` the one at a path.',
  type: 'object',
  properties: {
    name: { type: 'string', description: "The child's name; its number where there is none." },
    type: { type: 'string', description: 'A torch.nn class.', examples: ['Linear'] },
    children: { type: 'array', items: ref('ModuleInput') },
    block: { type: 'string' },
    shared: { type: 'string' },
    ref: { type: 'string' },
    tie: {
      type: 'object',
      description: 'Parameters of this module that are those at other paths.',
      additionalProperties: { type: 'string' },
      examples: [{ weight: '0.weight' }],
    },
  },
  additionalProperties: true,
});

export const architecture = opaque('Architecture', {
  description: 'A network: JSON, or PyTorch notation (constructor calls, or what print(net) prints).',
  anyOf: [
    { type: 'string' },
    {
      allOf: [ref('ModuleInput')],
      type: 'object',
      properties: {
        blocks: { ...modules, description: 'Factories: each use makes a new module.' },
        shared: { ...modules, description: 'Modules made once, first and in order.' },
      },
    },
  ],
  examples: [
    'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))',
    {
      type: 'Sequential',
      children: [
        { type: 'Linear', in_features: 4, out_features: 8 },
        { type: 'ReLU' },
        { type: 'Linear', in_features: 8, out_features: 1 },
      ],
    },
  ],
});

export const loss = z
  .preprocess(
    (given) => (typeof given === 'string' ? { name: given } : given),
    z.looseObject({ name: z.string('must be the name of a loss') }),
  )
  .describe('A loss of torch.nn.functional by name, or of torch.nn by its class, with its options beside it.')
  .meta(examples({ name: 'mse_loss' }, { name: 'cross_entropy', label_smoothing: 0.1, weight: [1, 2, 1] }));

export const layout = z
  .enum(['flat', 'nested'], 'must be flat or nested')
  .default('flat')
  .describe('How the `data` of tensors is written: row-major in one list, or as nested lists.');

const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number;

/** torch.manual_seed's range goes further, but JSON's numbers are not exact there. */
export const seed = z
  .int(`must be a whole number from ${MIN_SAFE_INTEGER} to ${MAX_SAFE_INTEGER}`)
  .describe('As torch.manual_seed takes it.');

/** A path: child names joined by dots; `""` is the root. */
export const path = z.string('must be a path, e.g. "0.block 1.0"');

/** What is chosen of a list. */
export const whereQuery = {
  path: z.string().optional().describe('A path, or a glob: `*` within a name, `**` across names.'),
  type: z.string().optional().describe('Only those of modules of this type.'),
};

export const pageQuery = {
  limit: count({ min: 1, max: 100_000, fallback: 100_000 }),
  cursor: z.string().optional().describe('The `next_cursor` of the page before.'),
};

/** A model that is not there is 404 whatever its name: the grammar is checked where names are made. */
export const modelParams = z.object({
  model: z.string().describe('The name of a model.'),
});

export const pathParams = modelParams.extend({
  path: z.string().describe('Child names joined by dots, percent-encoded; "" is the root.'),
});

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

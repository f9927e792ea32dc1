// What answers say: how a body becomes the reply, and the schemas that document it. Answers are not checked against these.

import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { ERRORS, titleOf, type ErrorCode } from '../src/errors.js';
import { STATUSES } from '../src/models/training.js';
import { WATCHED_NUMBERS } from '../src/models/alert-log.js';
import { explain } from '../src/models/failures.js';
import { documented } from '../src/plugins/schema.js';
import { whenSent } from '../src/plugins/sent.js';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import { stringifyAnswer } from '../src/tensor/json.js';
import { RAW_MEDIA_TYPE, rawHeaders } from '../src/tensor/raw.js';
import type { TensorValue } from '../src/tensor/tensor-value.js';

type Body = Record<string, unknown>;

/** Sends a body about a model: its ETag is its epoch and revision. */
export function answer(reply: FastifyReply, body: Body, layout: 'flat' | 'nested' = 'flat'): FastifyReply {
  return tag(reply, body).type('application/json; charset=utf-8').send(stringifyAnswer(body, { layout }));
}

/** The same of a body with tensors in it, which workers write where they are large. */
export async function answerTensors(reply: FastifyReply, body: Body, { layout, writer }: TensorOptions) {
  if (!writer.takes(body)) return answer(reply, body, layout);
  const written = await writer.write(body, layout).catch((error: unknown) => {
    throw explain(error);
  });
  tag(reply, body).type('application/json; charset=utf-8');
  if (typeof written === 'string') return reply.send(written);
  whenSent(reply.raw, () => written.release());
  return reply.send(written.body);
}

interface TensorOptions {
  readonly layout: 'flat' | 'nested';
  readonly writer: AnswerWriter;
}

/** What a route answers that also gives a tensor as its bytes. */
export const TENSOR_TYPES = ['application/json', RAW_MEDIA_TYPE] as const;

/** Sends a tensor's bytes from where they stand. A held one is let go when they are out. */
export function answerRaw(reply: FastifyReply, about: Body, { field, writer }: RawOptions): FastifyReply {
  const tensor = about[field] as TensorValue;
  const headers = rawHeaders(tensor);
  const written = writer.raw(tensor);
  whenSent(reply.raw, () => written.release());
  // Floats hardly get smaller, and compressing them would copy them: as if the client had not asked for it.
  reply.request.headers['x-no-compression'] = 'octets';
  return tag(reply, about)
    .headers({ ...headers, 'x-model-epoch': String(about.epoch), 'x-model-revision': String(about.revision) })
    .type(RAW_MEDIA_TYPE)
    .send(written.body);
}

interface RawOptions {
  /** Where the tensor is. */
  readonly field: string;
  readonly writer: AnswerWriter;
}

/** Of a model its revision, of a data set its version. */
export function tag(reply: FastifyReply, { epoch, revision, version = revision }: Body): FastifyReply {
  return reply.header('etag', `"${String(epoch)}-${String(version)}"`);
}

const ref = (id: string) => ({ $ref: `#/components/schemas/${id}` });

const number = z.unknown().meta({ $ref: '#/components/schemas/Number' });
const element = [{ type: 'number' }, { type: 'boolean' }, { type: 'string' }];

const numbers = {
  anyOf: [{ type: 'array', items: { anyOf: [...element, { type: 'array' }] } }, ...element],
  description:
    'Row-major; where `layout=nested` nested lists, and one element where the shape is []. "NaN", "Infinity" and "-Infinity" are strings.',
};

const tensor = z.unknown().register(documented, {
  id: 'TensorObject',
  type: 'object',
  properties: {
    dtype: { type: 'string', enum: ['float32', 'int64', 'int32', 'bool'] },
    shape: { type: 'array', items: { type: 'integer', minimum: 0 } },
    data: numbers,
  },
  required: ['dtype', 'shape', 'data'],
  examples: [{ dtype: 'float32', shape: [2, 2], data: [1, 2, 3, 4] }],
});

const rawAnswer = z.unknown().meta({
  type: 'string',
  format: 'binary',
  description: 'The elements alone, row-major, little-endian: X-Tensor-Shape and X-Tensor-Dtype say of what.',
});

const identity = {
  name: z.string(),
  epoch: z.string().describe('Another one when the name was deleted and made again.'),
  revision: z.int().min(1).describe('Counts the changes of the model: 1, 2, 3, ...'),
};

/** An answer about a model. */
function about<S extends z.core.$ZodLooseShape>(id: string, shape: S) {
  return z.object({ ...identity, ...shape }).register(documented, { id });
}

const shape = z.array(z.int().min(0)).nullable().describe('null while a lazy parameter is uninitialised.');

const named = z
  .object({
    path: z.string(),
    aliases: z.array(z.string()).describe('The other names of the same storage.'),
    field: z.string().optional().describe('What of the parameter, where it is not its value: grad.'),
  })
  .register(documented, { id: 'Named' });

const parameterFields = {
  path: z.string(),
  aliases: z.array(z.string()),
  kind: z.enum(['parameter', 'buffer']),
  shape,
  dtype: z.string(),
  requires_grad: z.boolean(),
};

const parameterInfo = z
  .object({
    ...parameterFields,
    numel: z.int().nullable(),
    status: z.enum(['uninitialized']).optional().describe('Of a lazy module: it has no shape yet.'),
  })
  .register(documented, { id: 'ParameterInfo' });

const moduleFields = {
  path: z.string(),
  type: z.string(),
  options: z.record(z.string(), z.unknown()),
  parameters: z.array(parameterInfo),
  children: z.array(z.object({ name: z.string(), path: z.string(), type: z.string() })),
  repr: z.string().describe('What print(module) prints.'),
};

const counts = {
  seed: z.int(),
  parameter_count: z.int(),
  bytes: z.int(),
  warnings: z.array(z.unknown()).describe('What will not run, known from the shapes alone.'),
};

export const modelSummary = about('ModelSummary', {
  ...counts,
  architecture: z.unknown().describe('As it was given; as JSON once modules were put or removed.'),
  repr: z.string().describe('What print(net) prints.'),
});

export const modelList = z
  .object({
    models: z.array(z.object({ ...identity, ...counts })),
    next_cursor: z.string().nullable().describe('Where the next page begins; null on the last.'),
  })
  .register(documented, { id: 'ModelList' });

const statistic = z.union([z.number(), z.string()]).nullable();

export const statisticsAnswer = z
  .object({
    shape: z.array(z.int()),
    numel: z.int(),
    min: statistic,
    max: statistic,
    mean: statistic,
    std: statistic.describe('Unbiased; null below two elements.'),
    norm: statistic.describe('The square root of the sum of squares.'),
    nan: z.int().describe('How many are NaN: then the numbers above are NaN too.'),
    infinity: z.int(),
    zeros: z.int(),
    histogram: z
      .object({ edges: z.array(z.union([z.number(), z.string()])), counts: z.array(z.int()) })
      .optional()
      .describe('counts[i] are in edges[i] <= x < edges[i + 1], the last one with its upper edge.'),
  })
  .register(documented, {
    id: 'Statistics',
    description: 'Of float32 rounded to float32; "NaN", "Infinity" and "-Infinity" are strings.',
  });

/** What is told of a parameter's numbers. */
const numbersFields = {
  value: z.union([tensor, z.null()]).optional().describe('null while it is uninitialized.'),
  grad: tensor.nullable().optional().describe('null before the first backward.'),
  stats: statisticsAnswer.optional(),
};

const datasetIdentity = {
  name: z.string(),
  epoch: z.string().describe('Another one when the name was deleted and put again.'),
  version: z.int().min(1).describe('Counts what was put under the name: 1, 2, 3, ...'),
  rows: z.int().min(1).describe('Of every column: the extent of dimension 0.'),
  bytes: z.int(),
};

const datasetFields = {
  ...datasetIdentity,
  columns: z.array(z.object({ name: z.string(), shape: z.array(z.int().min(0)), dtype: z.string() })),
};

export const datasetSummary = z.object(datasetFields).register(documented, { id: 'DatasetSummary' });

export const datasetAnswer = z
  .object({
    ...datasetFields,
    values: z
      .unknown()
      .optional()
      .meta({
        type: 'object',
        additionalProperties: ref('TensorObject'),
        description: 'By column, where `rows` or `columns` ask for them.',
      }),
  })
  .register(documented, { id: 'DatasetAnswer' });

export const datasetList = z
  .object({
    datasets: z.array(z.object(datasetIdentity)),
    next_cursor: z.string().nullable().describe('Where the next page begins; null on the last.'),
  })
  .register(documented, { id: 'DatasetList' });

export const moduleList = about('ModuleList', {
  modules: z.array(z.object(moduleFields).register(documented, { id: 'ModuleInfo' })),
  next_cursor: z.string().nullable().describe('Where the next page begins; null: this is the last.'),
});

export const moduleAnswer = about('ModuleAnswer', moduleFields);

export const parameterList = about('ParameterList', {
  parameters: z.array(
    z
      .object({
        ...parameterFields,
        numel: z.int().nullable(),
        status: z.enum(['uninitialized']).optional().describe('Of a lazy module: it has no shape yet.'),
        ...numbersFields,
      })
      .register(documented, { id: 'ListedParameter' }),
  ),
  next_cursor: z.string().nullable().describe('Where the next page begins; null: this is the last.'),
});

export const parameterAnswer = about('ParameterAnswer', {
  ...parameterFields,
  numel: z.int().nullable(),
  is_leaf: z.boolean(),
  status: z.enum(['initialized', 'uninitialized']),
  last_changed: z.int().nullable().describe('The revision that last changed it.'),
  ...numbersFields,
});

export const changedAnswer = about('Changed', {
  parameters: z.array(named),
  seed: z.int().nullable().optional(),
});

/** What stands for a lazy parameter's values. */
const uninitialized = {
  type: 'object',
  properties: {
    status: { type: 'string', enum: ['uninitialized'] },
    dtype: { type: 'string' },
    shape: { type: 'null' },
  },
  required: ['status', 'dtype', 'shape'],
};

export const stateDictAnswer = about('StateDict', {
  state_dict: z
    .unknown()
    .meta({ type: 'object', additionalProperties: { anyOf: [ref('TensorObject'), uninitialized] } }),
});

export const loadedAnswer = about('LoadedStateDict', {
  parameters: z.array(named),
  missing_keys: z.array(z.string()),
  unexpected_keys: z.array(z.string()),
});

/** By path: tensors, or statistics. */
const captured = z.record(z.string(), z.union([tensor, statisticsAnswer, z.null()]));

export const backwardAnswer = about('Gradients', {
  parameters: z.array(named),
  loss: z.union([number, z.null()]).describe('null with output_grad.'),
  input_grad: z
    .union([tensor.nullable(), z.record(z.string(), tensor.nullable())])
    .optional()
    .describe('With input_grad: null where the loss does not depend on it; of several inputs by name.'),
  captured: captured.optional().describe('With capture: outputs by the paths of modules.'),
  captured_grads: captured
    .optional()
    .describe(
      'With capture_grad: gradients by the paths of modules; null where the loss does not depend on it.',
    ),
});

const alertFields = z.object({
  revision: z.int(),
  time: z.string().meta({ format: 'date-time' }),
  path: z.string(),
  aliases: z.array(z.string()),
  stats: statisticsAnswer,
});

const watchpointFields = {
  id: z.string(),
  path: z.string(),
  on: z.enum(WATCHED_NUMBERS),
  when: z.string(),
  evaluated: z.int().describe('The last revision looked at.'),
  state: z
    .record(z.string(), z.boolean())
    .describe('Whether the condition holds, of each parameter and buffer covered.'),
  fired: z.int().describe('How many alerts there were.'),
  last_alert: alertFields.nullable(),
};

export const watchpointAnswer = about('WatchpointAnswer', watchpointFields);

export const watchpointList = about('WatchpointList', {
  watchpoints: z.array(z.object(watchpointFields).register(documented, { id: 'Watchpoint' })),
});

const problemSchema = z
  .object({
    type: z.string().meta({ format: 'uri-reference' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    request_id: z.string().optional(),
  })
  .register(documented, { id: 'Problem', description: 'RFC 9457. `code` is stable, texts are not.' });

export const gradcheckAnswer = about('GradientCheck', {
  passed: z.boolean(),
  worst: z
    .object({ path: z.string(), index: z.string(), analytic: number, numeric: number, difference: number })
    .nullable()
    .describe('The element furthest outside of what is allowed, or nearest to its bound.'),
  parameters: z.array(
    z.object({ path: z.string(), checked: z.int(), passed: z.boolean(), difference: number }),
  ),
});

const jobFields = {
  id: z.string(),
  model: z.string(),
  model_epoch: z.string(),
  created: z.string().meta({ format: 'date-time' }),
  status: z.enum(STATUSES),
  step: z.int(),
  steps: z.int(),
  epoch: z.int(),
  epochs: z.int(),
  loss: z.union([number, z.null()]).describe('Of the last step; null before the first.'),
  lr: z.array(z.number()).describe('Of each parameter group.'),
  grad_norm: z
    .union([number, z.null()])
    .describe('Of all gradients together, before clipping; null before the first step.'),
  examples_per_second: z.number(),
  seconds: z.number(),
  seconds_left: z.number().nullable(),
  stopped_early: z.boolean(),
  committed_revision: z.int().nullable().describe('The revision that the last commit made.'),
  error: problemSchema.optional(),
};

export const optimizerAnswer = about('Optimizer', {
  optimizer: z.string().nullable().describe('Its name in torch.optim.'),
  param_groups: z
    .array(z.looseObject({ params: z.array(z.string()), lr: z.number() }))
    .describe('Parameters by their paths, and their settings.'),
  state: z
    .unknown()
    .meta({ type: 'object', additionalProperties: ref('TensorObject') })
    .describe(
      "By a parameter's path and the name that the optimizer has for it; nothing before the first step.",
    ),
});

export const jobAnswer = z
  .object({
    ...jobFields,
    losses: z.array(number).describe('One for each step.'),
    history: z.array(
      z.object({
        epoch: z.int(),
        loss: number,
        validation: z.object({ loss: number, accuracy: z.number().optional() }).optional(),
      }),
    ),
  })
  .register(documented, { id: 'Job' });

export const jobList = z
  .object({ jobs: z.array(z.object(jobFields)) })
  .register(documented, { id: 'JobList' });

export const forwardAnswer = about('Outputs', {
  outputs: z
    .union([tensor, z.record(z.string(), tensor)])
    .describe('By name where the module has several outputs.'),
  captured: captured.optional().describe('With capture: outputs by the paths of modules.'),
  parameters: z.array(named).optional().describe('In train mode: the buffers that changed.'),
});

export const changesAnswer = about('Changes', {
  oldest: z.int().describe('The oldest revision that the log still has.'),
  changes: z.array(
    z.object({
      revision: z.int(),
      kind: z.string(),
      time: z.string().meta({ format: 'date-time' }),
      module: z.string().optional().describe('Where a module was put or removed.'),
      parameters: z.array(
        z.object({
          path: z.string(),
          aliases: z.array(z.string()),
          field: z.string().optional(),
          index: z.string().nullable(),
          shape,
        }),
      ),
    }),
  ),
});

/** The answer of a route that does what it was asked. */
export function success<S extends z.ZodType>(description: string, schema: S) {
  return { description, content: { 'application/json': { schema } } };
}

/** The same, of a route that gives a tensor of it as raw bytes too. */
export function tensorSuccess<S extends z.ZodType>(description: string, schema: S) {
  const { content } = success(description, schema);
  const bytes = { schema: rawAnswer };
  return { description, content: { ...content, [RAW_MEDIA_TYPE]: bytes } };
}

/** The problem answers of a route, by status. */
export function problems(...codes: ErrorCode[]) {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(ERRORS[code][0], [...(byStatus.get(ERRORS[code][0]) ?? []), code]);
  const entries = [...byStatus].sort(([a], [b]) => a - b);
  return {
    ...Object.fromEntries(
      entries.map(([status, group]) => [
        status,
        refusal(group.map((code) => `${titleOf(code)}: \`${code}\`.`).join(' ')),
      ]),
    ),
    default: refusal('Any other problem.'),
  };
}

function refusal(description: string) {
  return { description, content: { 'application/problem+json': { schema: problemSchema } } };
}

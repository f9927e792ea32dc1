// Parameters and buffers by their dotted path: list, read, set, patch one or many.

import { z } from 'zod';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import { FIELDS } from '../src/models/edit-patch.js';
import type { Registry } from '../src/models/registry.js';
import type { Wanted } from '../src/models/inspect.js';
import { didYouMean } from '../src/nearest.js';
import { negotiate } from '../src/plugins/accept.js';
import { rawHeaderFields } from '../src/plugins/raw.js';
import { documented, examples, flag, strict, truth, type App } from '../src/plugins/schema.js';
import { binsFault, DEFAULT_BINS, readBins, type Bins } from '../src/tensor/bins.js';
import { number } from '../src/tensor/number-schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { RAW_MEDIA_TYPE } from '../src/tensor/raw.js';
import {
  answer,
  answerRaw,
  answerTensors,
  changedAnswer,
  parameterAnswer,
  parameterList,
  problems,
  success,
  TENSOR_TYPES,
  tensorSuccess,
} from './answers.js';
import { isRecord, layout, modelParams, path, pathParams, tensor, pageQuery, whereQuery } from './inputs.js';

const index = z
  .string('must be a string, e.g. "0,0"')
  .describe('Python slicing: `0,0` · `0` · `:` · `1:3,-1` · `::2,...`.')
  .meta(examples('0,0'));

const INCLUDES = ['value', 'grad', 'stats', 'histogram'] as const;

/** `value,stats`: what is to be told of a parameter's numbers. */
const include = z
  .string('must be given once, with commas between')
  .transform((text, context) => {
    const words = text.split(',').map((word) => word.trim());
    for (const word of words) {
      if (word === '' || (INCLUDES as readonly string[]).includes(word)) continue;
      const message = `${JSON.stringify(word)} is none of ${INCLUDES.join(', ')}${didYouMean(word, INCLUDES)}`;
      context.addIssue({ code: 'custom', message });
    }
    return new Set(words);
  })
  .describe(
    'Some of `value`, `grad`, `stats`, `histogram` (statistics with a histogram), with commas between.',
  )
  .meta(examples('value,stats'));

const bins = z
  .string('must be given once, with commas between')
  .transform((text, context): Bins => {
    const given = readBins(text);
    const message = given === undefined ? 'must be a number of bins, or edges' : binsFault(given);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
    return given ?? 0;
  })
  .describe(
    'Of the histogram, which it asks for: how many, from the least to the largest number (32 where absent), or the ' +
      'edges between them, ascending.',
  )
  .meta(examples('32', '-1,0,1'));

interface Included {
  include?: ReadonlySet<string> | undefined;
  bins?: Bins | undefined;
}

/** undefined: the query does not say. */
function wantedBy({ include: words, bins: given }: Included): Wanted | undefined {
  if (words === undefined && given === undefined) return undefined;
  const histogram = given ?? (words?.has('histogram') ? DEFAULT_BINS : undefined);
  return {
    value: words?.has('value') ?? false,
    grad: words?.has('grad') ?? false,
    stats: histogram !== undefined || (words?.has('stats') ?? false),
    bins: histogram,
  };
}

const listQuery = strict({
  module: path.default('').describe('Only the subtree at this path; names are relative to it.'),
  recurse: flag(true).describe("false: only the module's own."),
  kind: z.enum(['parameter', 'buffer', 'all'], 'must be parameter, buffer or all').default('parameter'),
  ...whereQuery,
  requires_grad: truth.optional().describe('Only those that are trained, or only those that are not.'),
  ...pageQuery,
  include: include.optional(),
  bins: bins.optional(),
  layout,
});

const readQuery = strict({
  index: index.optional(),
  include: include.optional().describe('Where absent: `value,grad,stats`.'),
  bins: bins.optional(),
  layout,
});

const field = z
  .enum(FIELDS, 'must be value or grad')
  .describe('What of the parameter: its value, or its gradient.');

const putQuery = strict({ index: index.optional(), field: field.optional() });

/** `{"value": tensor}`, or the tensor itself. */
const putBody = z
  .preprocess(
    (body) => (isRecord(body) && !Object.hasOwn(body, 'data') ? body : { value: body }), // a raw body has data
    strict({ value: tensor }),
  )
  .meta(examples({ value: [[1, 2, 3, 4]] }));

const valueOp = (op: 'set' | 'add' | 'sub' | 'mul' | 'div') =>
  strict({ op: z.literal(op), index: index.optional(), field: field.optional(), value: tensor });

const bound = number.optional();

const patchOp = z
  .discriminatedUnion(
    'op',
    [
      valueOp('set'),
      valueOp('add'),
      valueOp('sub'),
      valueOp('mul'),
      valueOp('div'),
      strict({
        op: z.literal('clamp'),
        index: index.optional(),
        field: field.optional(),
        min: bound,
        max: bound,
      }),
      strict({
        op: z.literal('map'),
        index: index.optional(),
        field: field.optional(),
        expression: z.string('must be an expression of w'),
      }),
    ],
    'must be one of set, add, sub, mul, div, clamp, map',
  )
  .register(documented, { id: 'PatchOp' });

const editFields = {
  ops: z.array(patchOp, 'must be a list').min(1, 'must not be empty').optional(),
  requires_grad: z.boolean('must be true or false').optional(),
};

interface Edit {
  ops?: unknown;
  requires_grad?: unknown;
}
const hasAny = ({ ops, requires_grad }: Edit): boolean => ops !== undefined || requires_grad !== undefined;

const edit = strict(editFields)
  .refine(hasAny, 'needs ops or requires_grad')
  .register(documented, {
    id: 'ParameterEdit',
    ...examples(
      {
        ops: [
          { op: 'add', index: ':', value: 1 },
          { op: 'set', index: '0,0', value: 42 },
        ],
      },
      { ops: [{ op: 'map', expression: 'w * (abs(w) >= 5)' }] },
    ),
  });

const selectedEdit = strict({
  ...editFields,
  where: strict({
    type: z.string('must be a type, e.g. "Linear"').optional(),
    requires_grad: z.boolean('must be true or false').optional(),
  })
    .optional()
    .describe('Only parameters of modules of this type, or that are trained, or not.'),
}).refine(hasAny, 'needs ops or requires_grad');

const patchBody = strict({
  parameters: z
    .record(z.string(), selectedEdit, 'must be an object of edits by path')
    .describe('By path, or by glob: `**.weight`.'),
  expect_count: z
    .int()
    .min(0)
    .optional()
    .describe('How many parameters are chosen; else nothing is changed.'),
}).meta(
  examples({
    parameters: {
      '0.weight': { ops: [{ op: 'mul', value: 0.5 }] },
      '2.bias': { ops: [{ op: 'set', value: 0 }], requires_grad: false },
    },
  }),
);

const patchProblems = problems(
  'MODEL_NOT_FOUND',
  'PARAMETER_NOT_FOUND',
  'QUOTA_EXCEEDED',
  'INVALID_REQUEST',
  'INDEX_INVALID',
  'INDEX_OUT_OF_RANGE',
  'PATCH_INVALID',
  'EXPRESSION_INVALID',
  'PARAMETER_SHAPE',
  'TENSOR_INVALID',
  'VALUE_INVALID',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
);

export function parameterRoutes(app: App, models: Registry, writer: AnswerWriter): void {
  app.get(
    '/v1/models/:model/parameters',
    {
      schema: {
        operationId: 'listParameters',
        summary: 'List parameters: named_parameters(), named_buffers()',
        tags: ['parameters'],
        params: modelParams,
        querystring: listQuery,
        response: {
          200: success('Each storage once, with what of its numbers is to be included.', parameterList),
          ...problems('MODEL_NOT_FOUND', 'MODULE_NOT_FOUND', 'INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => {
      const { include: words, bins: given, layout, ...query } = request.query;
      const wanted = wantedBy({ include: words, bins: given }) ?? {};
      const body = await models.get(request.params.model).parameters({ ...query, wanted });
      return answerTensors(reply, body, { layout, writer });
    },
  );

  app.patch(
    '/v1/models/:model/parameters',
    {
      config: { changes: true, tensors: true },
      schema: {
        operationId: 'patchParameters',
        summary: 'Patch many parameters: all or nothing, one revision',
        tags: ['parameters'],
        headers: termsHeaders,
        params: modelParams,
        body: patchBody,
        response: { 200: success('It is done; what changed.', changedAnswer), ...patchProblems },
      },
    },
    async (request, reply) => {
      const { parameters, expect_count: expectCount } = request.body;
      const edits = new Map(Object.entries(parameters));
      const terms = { ...termsOf(request, reply), expectCount };
      return answer(reply, await models.get(request.params.model).patch(edits, terms));
    },
  );

  app.get(
    '/v1/models/:model/parameters/:path',
    {
      schema: {
        operationId: 'getParameter',
        summary: 'Read a parameter, or a slice of it: values, gradient, statistics',
        tags: ['parameters'],
        params: pathParams,
        querystring: readQuery,
        response: {
          200: tensorSuccess('Its value and all that is known of it.', parameterAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'PARAMETER_NOT_FOUND',
            'NOT_ACCEPTABLE',
            'INVALID_REQUEST',
            'INDEX_INVALID',
            'INDEX_OUT_OF_RANGE',
          ),
        },
      },
    },
    async (request, reply) => {
      const type = negotiate(request, reply, TENSOR_TYPES);
      const { layout, index, ...included } = request.query;
      const wanted = type === RAW_MEDIA_TYPE ? { value: true } : wantedBy(included);
      const body = await models.get(request.params.model).parameter(request.params.path, { index, wanted });
      return type === RAW_MEDIA_TYPE
        ? answerRaw(reply, body, { field: 'value', writer })
        : answerTensors(reply, body, { layout, writer });
    },
  );

  app.put(
    '/v1/models/:model/parameters/:path',
    {
      config: { changes: true, tensors: true, raw: true },
      schema: {
        operationId: 'setParameter',
        summary: 'Set a parameter, or a slice of it, as tensor[index] = value does',
        tags: ['parameters'],
        headers: termsHeaders.extend(rawHeaderFields),
        params: pathParams,
        querystring: putQuery,
        body: putBody,
        response: { 200: success('It is done; what changed.', changedAnswer), ...patchProblems },
      },
    },
    async (request, reply) => {
      const { model, path } = request.params;
      return answer(
        reply,
        await models
          .get(model)
          .setParameter(path, { ...request.body, ...request.query }, termsOf(request, reply)),
      );
    },
  );

  app.patch(
    '/v1/models/:model/parameters/:path',
    {
      config: { changes: true, tensors: true },
      schema: {
        operationId: 'patchParameter',
        summary: 'Patch a parameter',
        tags: ['parameters'],
        headers: termsHeaders,
        params: pathParams,
        body: edit,
        response: { 200: success('It is done; what changed.', changedAnswer), ...patchProblems },
      },
    },
    async (request, reply) => {
      const { model, path } = request.params;
      return answer(
        reply,
        await models.get(model).patchParameter(path, request.body, termsOf(request, reply)),
      );
    },
  );
}

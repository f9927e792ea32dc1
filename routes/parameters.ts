// Parameters and buffers by their dotted path: list, read, set, patch one or many.

import { z } from 'zod';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import { FIELDS } from '../src/models/edit-patch.js';
import type { Registry } from '../src/models/registry.js';
import { negotiate } from '../src/plugins/accept.js';
import { rawHeaderFields } from '../src/plugins/raw.js';
import { documented, examples, flag, strict, type App } from '../src/plugins/schema.js';
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
import { isRecord, layout, modelParams, path, pathParams, tensor } from './inputs.js';

const index = z
  .string('must be a string, e.g. "0,0"')
  .describe('Python slicing: `0,0` · `0` · `:` · `1:3,-1` · `::2,...`.')
  .meta(examples('0,0'));

const listQuery = strict({
  module: path.default('').describe('Only the subtree at this path; names are relative to it.'),
  recurse: flag(true).describe("false: only the module's own."),
  kind: z.enum(['parameter', 'buffer', 'all'], 'must be parameter, buffer or all').default('parameter'),
});

const readQuery = strict({ index: index.optional(), layout });

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
      strict({ op: z.literal('clamp'), index: index.optional(), field: field.optional(), min: bound, max: bound }),
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

const edit = strict({
  ops: z.array(patchOp, 'must be a list').min(1, 'must not be empty').optional(),
  requires_grad: z.boolean('must be true or false').optional(),
})
  .refine(
    (given) => given.ops !== undefined || given.requires_grad !== undefined,
    'needs ops or requires_grad',
  )
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

const patchBody = strict({
  parameters: z.record(z.string(), edit, 'must be an object of edits by path'),
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
          200: success('Each storage once.', parameterList),
          ...problems('MODEL_NOT_FOUND', 'MODULE_NOT_FOUND', 'INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => answer(reply, models.get(request.params.model).parameters(request.query)),
  );

  app.patch(
    '/v1/models/:model/parameters',
    {
      config: { tensors: true },
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
      const edits = new Map(Object.entries(request.body.parameters));
      return answer(reply, await models.get(request.params.model).patch(edits, termsOf(request, reply)));
    },
  );

  app.get(
    '/v1/models/:model/parameters/:path',
    {
      schema: {
        operationId: 'getParameter',
        summary: 'Read a parameter, or a slice of it',
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
      const { layout, ...query } = request.query;
      const body = await models.get(request.params.model).parameter(request.params.path, query);
      return type === RAW_MEDIA_TYPE
        ? answerRaw(reply, body, { field: 'value', writer })
        : answerTensors(reply, body, { layout, writer });
    },
  );

  app.put(
    '/v1/models/:model/parameters/:path',
    {
      config: { tensors: true, raw: true },
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
      config: { tensors: true },
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

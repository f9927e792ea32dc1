// Running a model, or a module of it, on one revision.

import { z } from 'zod';
import { ApiError } from '../src/errors.js';
import { release } from '../src/models/forward-answer.js';
import { insideRequest } from '../src/models/inside.js';
import { captureSchema, interventionsSchema } from '../src/models/inside-schema.js';
import type { Outputs } from '../src/models/forwards.js';
import type { Registry } from '../src/models/registry.js';
import { MODES, type Mode } from '../src/nn/layer.js';
import { negotiate } from '../src/plugins/accept.js';
import { LANE_ROUTE, laneBody, laneOutcome } from '../src/plugins/lane.js';
import { rawHeaderFields } from '../src/plugins/raw.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { priority, termsHeaders, termsOf, timeout } from '../src/plugins/terms.js';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import { RAW_MEDIA_TYPE } from '../src/tensor/raw.js';
import { RawTensor } from '../src/tensor/raw-tensor.js';
import { TensorValue } from '../src/tensor/tensor-value.js';
import { answerRaw, answerTensors, forwardAnswer, problems, TENSOR_TYPES, tensorSuccess } from './answers.js';
import { inputs, layout, modelParams, orRaw, path } from './inputs.js';

const module = path.describe('The module to run alone; "" is the whole network.');
const mode = z
  .enum(MODES, 'must be eval or train')
  .describe(
    'As after net.eval() or net.train(): dropout on, batch statistics used and updated, which is a change.',
  );

const forwardBody = z
  .preprocess(
    orRaw('inputs'),
    strict({
      inputs,
      module: module.default(''),
      timeout: timeout.optional(),
      priority: priority.optional(),
      mode: mode.default('eval'),
      capture: captureSchema.optional(),
      interventions: interventionsSchema.optional(),
    }),
  )
  .meta(
    examples(
      { inputs: [[1, 2, 3, 4]] },
      { inputs: [[1, 2, 3, 4]], module: '0' },
      {
        inputs: [[1, 2, 3, 4]],
        capture: ['0'],
        interventions: { outputs: { 0: { op: 'mul', value: 0, index: ':,3' } } },
      },
    ),
  );

/** A raw body is the inputs and nothing else: what stands beside them in JSON stands in the query. */
const forwardQuery = strict({ layout, module: module.optional(), mode: mode.optional() });

interface Options {
  readonly module?: string | undefined;
  readonly mode?: Mode | undefined;
}

/** Throws INVALID_REQUEST for options in the query of a JSON body: two places for one thing would be one too many. */
function withOptions<B extends { inputs: unknown; module: string; mode: Mode }>(
  body: B,
  { module, mode }: Options,
): B {
  if (body.inputs instanceof RawTensor)
    return { ...body, module: module ?? body.module, mode: mode ?? body.mode };
  if (module === undefined && mode === undefined) return body;
  const faults = Object.entries({ module, mode }).flatMap(([name, given]) =>
    given === undefined ? [] : [{ path: `query.${name}`, message: 'stands beside inputs in a JSON body' }],
  );
  throw new ApiError('INVALID_REQUEST', [], faults);
}

export function forwardRoutes(app: App, models: Registry, writer: AnswerWriter): void {
  app.post(
    LANE_ROUTE,
    {
      config: { changes: true, prioritized: true, tensors: true, raw: true },
      preParsing: laneBody,
      schema: {
        operationId: 'forward',
        summary: 'Run a model',
        tags: ['running'],
        params: modelParams,
        headers: termsHeaders.extend(rawHeaderFields),
        querystring: forwardQuery,
        body: forwardBody,
        response: {
          200: tensorSuccess('The outputs, and the revision they belong to.', forwardAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'PARAMETER_NOT_FOUND',
            'NOT_ACCEPTABLE',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'TENSOR_INVALID',
            'VALUE_INVALID',
            'SHAPE_MISMATCH',
            'INDEX_INVALID',
            'INDEX_OUT_OF_RANGE',
            'NOT_CALLABLE',
            'CLIENT_GONE',
            'WORKER_LOST',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const type = negotiate(request, reply, TENSOR_TYPES);
      const { layout, ...options } = request.query;
      const terms = termsOf(request, reply, request.body);
      const begun = laneOutcome(request.raw);
      const { capture, interventions, ...body } = withOptions(request.body, options);
      const inside = insideRequest({ capture, interventions });
      const model = models.get(request.params.model);
      const made = await (begun ??
        (body.mode === 'train'
          ? model.trainForward({ ...body, ...inside }, terms)
          : model.forward({ ...body, inside }, terms)));
      if (type !== RAW_MEDIA_TYPE) return answerTensors(reply, made, { layout, writer });
      if (!(made.outputs instanceof TensorValue) || capture) {
        release(made as Outputs);
        throw new ApiError('NOT_ACCEPTABLE', ['JSON, having several tensors,']);
      }
      return answerRaw(reply, made, { field: 'outputs', writer });
    },
  );
}

// What trained a model last: an optimizer's settings and state, read and restored.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { documented, examples, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import { answer, answerTensors, changedAnswer, optimizerAnswer, problems, success } from './answers.js';
import { isRecord, layout, modelParams } from './inputs.js';

/** Tensors by name, as they came: their codec decodes them. */
const state = z
  .custom<Record<string, unknown>>((value) => isRecord(value), 'must be an object of tensors by name')
  .register(documented, {
    id: 'OptimizerTensors',
    description: "By a parameter's path and the name that the optimizer has for it: `0.weight.exp_avg`.",
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/TensorInput' },
  });

const loadBody = strict({
  optimizer: z.string('must be the name of an optimizer').describe('An optimizer of torch.optim.'),
  param_groups: z
    .array(z.looseObject({ params: z.array(z.string()) }), 'must be a list of groups')
    .max(100)
    .describe('`params`: paths, with the options of these parameters beside them.'),
  state,
}).meta(
  examples({
    optimizer: 'SGD',
    param_groups: [{ params: ['0.bias'], lr: 0.1, momentum: 0.9 }],
    state: { '0.bias.momentum_buffer': [0.5, 0, 0, 0.25] },
  }),
);

export function optimizerRoutes(app: App, models: Registry, writer: AnswerWriter): void {
  app.get(
    '/v1/models/:model/optimizer',
    {
      schema: {
        operationId: 'getOptimizer',
        summary: "Read the optimizer's state: optimizer.state_dict()",
        tags: ['training'],
        params: modelParams,
        querystring: strict({ layout }),
        response: {
          200: success('Of what trained the model last; null where nothing did.', optimizerAnswer),
          ...problems('MODEL_NOT_FOUND', 'INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => {
      const body = await models.get(request.params.model).optimizerState();
      return answerTensors(reply, body, { layout: request.query.layout, writer });
    },
  );

  app.put(
    '/v1/models/:model/optimizer',
    {
      config: { changes: true, tensors: true },
      schema: {
        operationId: 'loadOptimizer',
        summary: "Restore an optimizer's state: optimizer.load_state_dict()",
        description: 'A training with `resume` goes on from it.',
        tags: ['training'],
        params: modelParams,
        headers: termsHeaders,
        body: loadBody,
        response: {
          200: success('It is restored; whose state changed.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'STATE_DICT_MISMATCH',
            'TENSOR_INVALID',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const model = models.get(request.params.model);
      return answer(reply, await model.loadOptimizer(request.body, termsOf(request, reply)));
    },
  );
}

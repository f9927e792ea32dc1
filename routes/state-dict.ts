// All values of a module at once: state_dict() and load_state_dict().

import { z } from 'zod';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import type { Registry } from '../src/models/registry.js';
import { documented, examples, flag, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { answer, answerTensors, loadedAnswer, problems, success, stateDictAnswer } from './answers.js';
import { isRecord, layout, modelParams, path } from './inputs.js';

const module = path.default('').describe('The subtree at this path; names are relative to it.');

const readQuery = strict({ module, layout });

const loadQuery = strict({
  module,
  strict: flag(true).describe('false: names may be missing or unexpected.'),
});

/** Tensors by name, as they came: their codec decodes them. */
const tensors = z
  .custom<Record<string, unknown>>((value) => isRecord(value), 'must be an object of tensors by name')
  .register(documented, {
    id: 'StateDictTensors',
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/TensorInput' },
  });

const loadBody = strict({ state_dict: tensors }).meta(
  examples({ state_dict: { weight: [[1, 2, 3, 4]], bias: [0] } }),
);

export function stateDictRoutes(app: App, models: Registry, writer: AnswerWriter): void {
  app.get(
    '/v1/models/:model/state_dict',
    {
      schema: {
        operationId: 'getStateDict',
        summary: 'Read all values: state_dict()',
        tags: ['parameters'],
        params: modelParams,
        querystring: readQuery,
        response: {
          200: success('Every name with its values.', stateDictAnswer),
          ...problems('MODEL_NOT_FOUND', 'MODULE_NOT_FOUND', 'INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => {
      const { layout, ...query } = request.query;
      const body = await models.get(request.params.model).stateDict(query);
      return answerTensors(reply, body, { layout, writer });
    },
  );

  app.put(
    '/v1/models/:model/state_dict',
    {
      config: { changes: true, tensors: true },
      schema: {
        operationId: 'loadStateDict',
        summary: 'Load values: load_state_dict()',
        tags: ['parameters'],
        headers: termsHeaders,
        params: modelParams,
        querystring: loadQuery,
        body: loadBody,
        response: {
          200: success("It is loaded; load_state_dict's answer.", loadedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'STATE_DICT_MISMATCH',
            'TIED_VALUES_DIFFER',
            'TENSOR_INVALID',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const model = models.get(request.params.model);
      return answer(
        reply,
        await model.loadStateDict(
          { ...request.query, state: request.body.state_dict },
          termsOf(request, reply),
        ),
      );
    },
  );
}

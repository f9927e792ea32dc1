// Lazy modules get their shapes without a forward.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { answer, changedAnswer, problems, success } from './answers.js';
import { modelParams, path } from './inputs.js';

const shape = z
  .array(z.int('must be a whole number').min(0, 'must not be negative'), 'must be a list of extents')
  .max(64, 'has at most 64 dimensions');
const dtype = z.enum(['float32', 'int64', 'int32', 'bool']).optional();

const described = { shape: shape.describe('Of the input.'), dtype };

const body = z
  .union([
    strict({ module: path.default(''), ...described }),
    strict({
      module: path.default(''),
      inputs: z.record(z.string(), strict(described)).describe('Of a module with several inputs: by name.'),
    }),
  ])
  .meta(examples({ shape: [2, 4] }, { inputs: { a: { shape: [2, 4] }, b: { shape: [2, 8] } } }));

export function materializeRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models/:model/materialize',
    {
      config: { changes: true },
      schema: {
        operationId: 'materialize',
        summary: 'Give lazy modules their shapes',
        description: 'As a forward of inputs of these shapes does, which is not run.',
        tags: ['modules'],
        headers: termsHeaders,
        params: modelParams,
        body,
        response: {
          200: success('It is done; the parameters that there are now.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'INIT_INVALID',
            'SHAPE_MISMATCH',
            'NOT_CALLABLE',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { module, ...inputs } = request.body;
      const given = 'inputs' in inputs ? { byName: new Map(Object.entries(inputs.inputs)) } : { one: inputs };
      const model = models.get(request.params.model);
      return answer(reply, await model.materialize({ module, given }, termsOf(request, reply)));
    },
  );
}

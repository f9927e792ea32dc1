// Running a model, or a module of it, on one revision.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { answer, forwardAnswer, problems, success } from './answers.js';
import { layoutQuery, modelParams, path, tensor } from './inputs.js';

const forwardBody = strict({
  inputs: tensor,
  module: path.default('').describe('The module to run alone; "" is the whole network.'),
  mode: z.literal('eval', 'must be "eval"').default('eval').describe('As after net.eval().'),
}).meta(examples({ inputs: [[1, 2, 3, 4]] }, { inputs: [[1, 2, 3, 4]], module: '0' }));

export function forwardRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models/:model/forward',
    {
      schema: {
        operationId: 'forward',
        summary: 'Run a model',
        tags: ['running'],
        params: modelParams,
        querystring: layoutQuery,
        body: forwardBody,
        response: {
          200: success('The outputs, and the revision they belong to.', forwardAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'TENSOR_INVALID',
            'VALUE_INVALID',
            'SHAPE_MISMATCH',
            'NOT_CALLABLE',
            'WORKER_LOST',
          ),
        },
      },
    },
    async (request, reply) => {
      const body = await models.get(request.params.model).forward(request.body);
      return answer(reply, body, request.query.layout);
    },
  );
}

// Running a model, or a module of it, on one revision.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { LANE_ROUTE, laneBody, laneOutcome } from '../src/plugins/lane.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { HeldTensor } from '../src/runtime/held-tensor.js';
import { priority, termsHeaders, termsOf, timeout } from '../src/plugins/terms.js';
import { answer, forwardAnswer, problems, success } from './answers.js';
import { layoutQuery, modelParams, path, tensor } from './inputs.js';

const forwardBody = strict({
  inputs: tensor,
  module: path.default('').describe('The module to run alone; "" is the whole network.'),
  timeout: timeout.optional(),
  priority: priority.optional(),
  mode: z.literal('eval', 'must be "eval"').default('eval').describe('As after net.eval().'),
}).meta(examples({ inputs: [[1, 2, 3, 4]] }, { inputs: [[1, 2, 3, 4]], module: '0' }));

export function forwardRoutes(app: App, models: Registry): void {
  app.post(
    LANE_ROUTE,
    {
      config: { prioritized: true },
      preParsing: laneBody,
      schema: {
        operationId: 'forward',
        summary: 'Run a model',
        tags: ['running'],
        params: modelParams,
        headers: termsHeaders,
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
            'CLIENT_GONE',
            'WORKER_LOST',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const terms = termsOf(request, reply, request.body);
      const begun = laneOutcome(request.raw);
      const body = await (begun ?? models.get(request.params.model).forward(request.body, terms));
      try {
        return answer(reply, body, request.query.layout);
      } finally {
        if (body.outputs instanceof HeldTensor) body.outputs.release();
      }
    },
  );
}

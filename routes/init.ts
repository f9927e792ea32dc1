// Re-initialisation: net.apply(fn) as data.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { initSchema } from '../src/nn/init/spec.js';
import { documented, examples, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { answer, changedAnswer, problems, success } from './answers.js';
import { modelParams, path, seed } from './inputs.js';

const rule = strict({
  types: z.array(z.string()).optional().describe('Layer types it is for; all where absent.'),
  parameters: z
    .array(z.string())
    .optional()
    .describe("Names of a module's own parameters; all where absent."),
  paths: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Globs (`0.**`, `**.weight`): only parameters whose path one of them matches.'),
  requires_grad: z
    .boolean('must be true or false')
    .optional()
    .describe('Only those that are trained, or not.'),
  init: initSchema.register(documented, { id: 'Init' }),
});

const initBody = strict({
  module: path.default('').describe('The subtree to walk; "" is the whole network.'),
  rules: z.array(rule, 'must be a list of rules').min(1, 'must not be empty'),
  expect_count: z
    .int()
    .min(0)
    .optional()
    .describe('How many parameters are chosen; else nothing is changed.'),
  seed: seed.optional().describe("Goes on with the model's own generator where absent."),
}).meta(
  examples({
    module: '0',
    rules: [
      { types: ['Linear'], parameters: ['weight'], init: { name: 'normal', mean: 0, std: 0.01 } },
      { types: ['Linear'], parameters: ['bias'], init: { name: 'zeros' } },
    ],
    seed: 7,
  }),
);

export function initRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models/:model/init',
    {
      config: { changes: true },
      schema: {
        operationId: 'initParameters',
        summary: 'Initialise parameters: net.apply(fn)',
        description: 'Walks the subtree as apply does, children first; for each module the rules in order.',
        tags: ['parameters'],
        headers: termsHeaders,
        params: modelParams,
        body: initBody,
        response: {
          200: success('It is done; what changed.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'INIT_INVALID',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await models.get(request.params.model).init(request.body, termsOf(request, reply))),
  );
}

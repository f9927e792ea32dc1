// Watchpoints of a model: conditions on statistics, told on the stream when they become true.

import { z } from 'zod';
import { WATCHED_NUMBERS } from '../src/models/alert-log.js';
import type { Registry } from '../src/models/registry.js';
import { MAX_PATTERN } from '../src/nn/path-pattern.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { termsOf } from '../src/plugins/terms.js';
import { answer, problems, success, watchpointAnswer, watchpointList } from './answers.js';
import { modelParams } from './inputs.js';

const watchpointBody = strict({
  path: z
    .string('must be a pattern, e.g. "**.weight"')
    .min(1, 'must not be empty')
    .max(MAX_PATTERN, `must have at most ${MAX_PATTERN} characters`)
    .describe(
      'The parameters and buffers: `*` is anything within a name, `**` anything, dots too, `**.` any number of whole names.',
    ),
  when: z
    .string('must be a condition, e.g. "norm > 100 or nan > 0"')
    .describe('An expression over numel, min, max, mean, std, norm, nan, infinity, zeros.'),
  on: z
    .enum(WATCHED_NUMBERS, `must be one of ${WATCHED_NUMBERS.join(', ')}`)
    .default('value')
    .describe('Whose statistics.'),
}).meta(examples({ path: '**.weight', when: 'norm > 100 or nan > 0' }));

const watchpointParams = modelParams.extend({ watchpoint: z.string().describe('Its id.') });

export function watchpointRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models/:model/watchpoints',
    {
      config: { changes: true },
      schema: {
        operationId: 'addWatchpoint',
        summary: 'Watch statistics: an alert when a condition becomes true',
        description: 'The present is looked at once, without an alert; then every change, after its answer.',
        tags: ['watchpoints'],
        params: modelParams,
        body: watchpointBody,
        response: {
          201: success('It watches; what holds now.', watchpointAnswer),
          ...problems('MODEL_NOT_FOUND', 'QUOTA_EXCEEDED', 'INVALID_REQUEST', 'EXPRESSION_INVALID'),
        },
      },
    },
    async (request, reply) => {
      const { model } = request.params;
      const body = await models.get(model).addWatchpoint(request.body, termsOf(request, reply));
      const location = `/v1/models/${encodeURIComponent(model)}/watchpoints/${String(body.id)}`;
      return answer(reply.code(201).header('location', location), body);
    },
  );

  app.get(
    '/v1/models/:model/watchpoints',
    {
      schema: {
        operationId: 'listWatchpoints',
        summary: 'List watchpoints',
        tags: ['watchpoints'],
        params: modelParams,
        response: {
          200: success('In the order in which they were made.', watchpointList),
          ...problems('MODEL_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => answer(reply, await models.get(request.params.model).listWatchpoints()),
  );

  app.get(
    '/v1/models/:model/watchpoints/:watchpoint',
    {
      schema: {
        operationId: 'getWatchpoint',
        summary: 'Describe a watchpoint, once it has looked at all changes so far',
        tags: ['watchpoints'],
        params: watchpointParams,
        response: {
          200: success('What it watches, and what it has seen.', watchpointAnswer),
          ...problems('MODEL_NOT_FOUND', 'WATCHPOINT_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { model, watchpoint } = request.params;
      return answer(reply, await models.get(model).watchpoint(watchpoint));
    },
  );

  app.delete(
    '/v1/models/:model/watchpoints/:watchpoint',
    {
      config: { changes: true },
      schema: {
        operationId: 'removeWatchpoint',
        summary: 'Remove a watchpoint',
        tags: ['watchpoints'],
        params: watchpointParams,
        response: {
          204: z.null().describe('It is gone: no alert of it comes.'),
          ...problems('MODEL_NOT_FOUND', 'WATCHPOINT_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      models.get(request.params.model).removeWatchpoint(request.params.watchpoint, termsOf(request, reply));
      return reply.code(204).send();
    },
  );
}

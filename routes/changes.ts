// The change log of a model: what changed, revision by revision.

import type { Registry } from '../src/models/registry.js';
import { count, strict, type App } from '../src/plugins/schema.js';
import { answer, changesAnswer, problems, success } from './answers.js';
import { modelParams } from './inputs.js';

const changesQuery = strict({
  after: count({ min: 0, fallback: 0 }).describe('Only changes after this revision.'),
  limit: count({ min: 1, max: 1000, fallback: 100 }),
});

export function changeRoutes(app: App, models: Registry): void {
  app.get(
    '/v1/models/:model/changes',
    {
      schema: {
        operationId: 'listChanges',
        summary: 'List changes',
        tags: ['history'],
        params: modelParams,
        querystring: changesQuery,
        response: {
          200: success('Changes, oldest first.', changesAnswer),
          ...problems('MODEL_NOT_FOUND', 'INVALID_REQUEST', 'REVISION_UNKNOWN'),
        },
      },
    },
    async (request, reply) => answer(reply, models.get(request.params.model).changes(request.query)),
  );
}

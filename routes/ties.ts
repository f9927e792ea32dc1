// Tied parameters: several names, one storage.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { answer, changedAnswer, problems, success } from './answers.js';
import { modelParams, path } from './inputs.js';

const paths = z.array(path, 'must be a list of paths');

const tieBody = strict({ paths: paths.min(2, 'must have at least two paths') }).meta(
  examples({ paths: ['0.weight', '2.weight'] }),
);

const untieBody = strict({ paths: paths.min(1, 'must not be empty') }).meta(
  examples({ paths: ['2.weight'] }),
);

const responses = {
  200: success('It is done; what changed.', changedAnswer),
  ...problems(
    'MODEL_NOT_FOUND',
    'PARAMETER_NOT_FOUND',
    'QUOTA_EXCEEDED',
    'INVALID_REQUEST',
    'TIE_INVALID',
    'OVERLOADED',
    'DEADLINE_EXCEEDED',
  ),
};

export function tieRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models/:model/ties',
    {
      config: { changes: true },
      schema: {
        operationId: 'tieParameters',
        summary: "Tie parameters to the first one's storage",
        tags: ['parameters'],
        headers: termsHeaders,
        params: modelParams,
        body: tieBody,
        response: responses,
      },
    },
    async (request, reply) =>
      answer(reply, await models.get(request.params.model).tie(request.body.paths, termsOf(request, reply))),
  );

  app.delete(
    '/v1/models/:model/ties',
    {
      config: { changes: true },
      schema: {
        operationId: 'untieParameters',
        summary: 'Give each parameter its own copy again',
        tags: ['parameters'],
        headers: termsHeaders,
        params: modelParams,
        body: untieBody,
        response: responses,
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await models.get(request.params.model).untie(request.body.paths, termsOf(request, reply)),
      ),
  );
}

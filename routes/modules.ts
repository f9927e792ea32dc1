// The tree of a model: look at its modules, put a subtree in place, remove one.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { termsHeaders, termsOf } from '../src/plugins/terms.js';
import { answer, changedAnswer, moduleAnswer, moduleList, problems, success } from './answers.js';
import { architecture, isRecord, modelParams, pageQuery, path, pathParams, whereQuery } from './inputs.js';

const listQuery = strict({
  prefix: path.default('').describe('Only the subtree at this path.'),
  ...whereQuery,
  ...pageQuery,
});

const NODE_FIELDS = ['type', 'block', 'shared', 'ref'];

/** `{"architecture": node}`, or the node itself. */
const putBody = z
  .preprocess(
    (body) =>
      typeof body === 'string' || (isRecord(body) && NODE_FIELDS.some((field) => Object.hasOwn(body, field)))
        ? { architecture: body }
        : body,
    strict({ architecture }),
  )
  .meta(examples({ architecture: { type: 'Linear', in_features: 8, out_features: 1 } }));

export function moduleRoutes(app: App, models: Registry): void {
  app.get(
    '/v1/models/:model/modules',
    {
      schema: {
        operationId: 'listModules',
        summary: 'List modules: named_modules()',
        tags: ['modules'],
        params: modelParams,
        querystring: listQuery,
        response: {
          200: success('Each module once, parents before children.', moduleList),
          ...problems('MODEL_NOT_FOUND', 'MODULE_NOT_FOUND', 'INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => answer(reply, models.get(request.params.model).modules(request.query)),
  );

  app.get(
    '/v1/models/:model/modules/:path',
    {
      schema: {
        operationId: 'getModule',
        summary: 'Describe a module',
        description:
          'In a Sequential, negative indices count from the end (`-1`) and slices give a part (`1:3`).',
        tags: ['modules'],
        params: pathParams,
        response: {
          200: success('What it is.', moduleAnswer),
          ...problems('MODEL_NOT_FOUND', 'MODULE_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => answer(reply, models.get(request.params.model).module(request.params.path)),
  );

  app.put(
    '/v1/models/:model/modules/:path',
    {
      config: { changes: true },
      schema: {
        operationId: 'putModule',
        summary: 'Put a module in place: add or replace a subtree',
        tags: ['modules'],
        headers: termsHeaders,
        params: pathParams,
        body: putBody,
        response: {
          200: success('It is done; the parameters drawn for it.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'ARCHITECTURE_INVALID',
            'MODULE_INVALID',
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
        await model.putModule(request.params.path, request.body.architecture, termsOf(request, reply)),
      );
    },
  );

  app.delete(
    '/v1/models/:model/modules/:path',
    {
      config: { changes: true },
      schema: {
        operationId: 'removeModule',
        summary: 'Remove a module',
        tags: ['modules'],
        headers: termsHeaders,
        params: pathParams,
        response: {
          200: success('It is done; the parameters drawn for it.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'MODULE_INVALID',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const model = models.get(request.params.model);
      return answer(reply, await model.removeModule(request.params.path, termsOf(request, reply)));
    },
  );
}

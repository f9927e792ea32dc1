// Models by name: build, list, look, print, delete.

import { z } from 'zod';
import type { Registry } from '../src/models/registry.js';
import { count, examples, strict, type App } from '../src/plugins/schema.js';
import { termsOf } from '../src/plugins/terms.js';
import { answer, modelList, modelSummary, problems, success, tag } from './answers.js';
import { architecture, modelParams, seed } from './inputs.js';

const buildBody = strict({
  name: z.string().describe('1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit.'),
  seed: seed.optional().describe('Drawn and reported when absent.'),
  architecture,
}).meta(
  examples(
    { name: 'net', seed: 0, architecture: 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))' },
    {
      name: 'tiny',
      seed: 0,
      architecture: { type: 'Sequential', children: [{ type: 'Linear', in_features: 4, out_features: 1 }] },
    },
  ),
);

const listQuery = strict({
  limit: count({ min: 1, max: 1000, fallback: 100 }),
  cursor: z.string().optional().describe('The `next_cursor` of the page before.'),
});

export function modelRoutes(app: App, models: Registry): void {
  app.post(
    '/v1/models',
    {
      config: { changes: true },
      schema: {
        operationId: 'buildModel',
        summary: 'Build a model',
        tags: ['models'],
        body: buildBody,
        response: {
          201: success('It is built: revision 1.', modelSummary),
          ...problems(
            'MODEL_EXISTS',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'NAME_INVALID',
            'ARCHITECTURE_INVALID',
          ),
        },
      },
    },
    async (request, reply) => {
      const body = await models.build(request.body, termsOf(request, reply));
      reply.code(201).header('location', `/v1/models/${encodeURIComponent(request.body.name)}`);
      return answer(reply, body);
    },
  );

  app.get(
    '/v1/models',
    {
      schema: {
        operationId: 'listModels',
        summary: 'List models by name',
        tags: ['models'],
        querystring: listQuery,
        response: {
          200: success('A page of models, in order of name.', modelList),
          ...problems('INVALID_REQUEST'),
        },
      },
    },
    async (request) => models.list(request.query),
  );

  app.get(
    '/v1/models/:model',
    {
      schema: {
        operationId: 'getModel',
        summary: 'Describe a model',
        tags: ['models'],
        params: modelParams,
        response: { 200: success('What it is.', modelSummary), ...problems('MODEL_NOT_FOUND') },
      },
    },
    async (request, reply) => answer(reply, models.get(request.params.model).summary()),
  );

  app.delete(
    '/v1/models/:model',
    {
      config: { changes: true },
      schema: {
        operationId: 'deleteModel',
        summary: 'Delete a model',
        tags: ['models'],
        params: modelParams,
        response: { 204: z.null().describe('It is gone.'), ...problems('MODEL_NOT_FOUND') },
      },
    },
    async (request, reply) => {
      await models.delete(request.params.model, termsOf(request, reply));
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/models/:model/repr',
    {
      schema: {
        operationId: 'printModel',
        summary: 'Print a model, as print(net) does',
        tags: ['models'],
        params: modelParams,
        response: {
          200: { description: 'What print(net) prints.', content: { 'text/plain': { schema: z.string() } } },
          ...problems('MODEL_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const body = models.get(request.params.model).repr();
      return tag(reply, body).type('text/plain; charset=utf-8').send(body.repr);
    },
  );
}

// openapi.yaml is what the routes say it is, and says what they do.

import { fileURLToPath } from 'node:url';
import { createConfig, lint } from '@redocly/openapi-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '#src/errors.js';
import { describeContracts } from '#src/contracts.js';
import { startEcho, type EchoServer } from '../routes/echo.js';
import { document, operations, text, validator, type Operation } from './document.js';

let server: EchoServer;

beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.stop());

/** A request's examples, beside the schema or in it. */
function examplesOf({ requestBody }: Operation): unknown[] {
  const media = requestBody?.content['application/json'];
  if (!media) return [];
  const beside = Object.values(media.examples ?? {}).map(({ value }) => value);
  const ref = (media.schema.$ref as string | undefined)?.split('/').at(-1);
  const schema = ref === undefined ? media.schema : document.components.schemas[ref]!;
  return [...beside, ...((schema.examples as unknown[] | undefined) ?? [])];
}

describe('openapi.yaml', () => {
  it('is what the routes describe (else: npm run openapi)', async () => {
    expect((await describeContracts()).openapi).toBe(text);
  });

  it('is what the server serves', async () => {
    expect(await (await fetch(`${server.url}/openapi.yaml`)).text()).toBe(text);
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toEqual(document);
  });

  it('has nothing that its linter minds', async () => {
    // `default` is what every operation answers a wrong request with; the project is not licensed to others.
    const rules = { 'operation-4xx-response': 'off', 'info-license': 'off' } as const;
    const config = await createConfig({ extends: ['recommended'], rules });
    const problems = await lint({
      ref: fileURLToPath(new URL('../../openapi.yaml', import.meta.url)),
      config,
    });
    expect(problems.map(({ ruleId, message, location: [at] }) => [ruleId, message, at?.pointer])).toEqual([]);
  });

  it('has these operations', () => {
    expect(operations.map(({ operationId, method, path }) => `${operationId}: ${method} ${path}`)).toEqual([
      'getServer: GET /v1',
      'listErrors: GET /v1/errors',
      'getHealth: GET /healthz',
      'getReadiness: GET /readyz',
      'buildModel: POST /v1/models',
      'listModels: GET /v1/models',
      'getModel: GET /v1/models/{model}',
      'deleteModel: DELETE /v1/models/{model}',
      'printModel: GET /v1/models/{model}/repr',
      'listModules: GET /v1/models/{model}/modules',
      'getModule: GET /v1/models/{model}/modules/{path}',
      'putModule: PUT /v1/models/{model}/modules/{path}',
      'removeModule: DELETE /v1/models/{model}/modules/{path}',
      'listParameters: GET /v1/models/{model}/parameters',
      'patchParameters: PATCH /v1/models/{model}/parameters',
      'getParameter: GET /v1/models/{model}/parameters/{path}',
      'setParameter: PUT /v1/models/{model}/parameters/{path}',
      'patchParameter: PATCH /v1/models/{model}/parameters/{path}',
      'initParameters: POST /v1/models/{model}/init',
      'materialize: POST /v1/models/{model}/materialize',
      'tieParameters: POST /v1/models/{model}/ties',
      'untieParameters: DELETE /v1/models/{model}/ties',
      'getStateDict: GET /v1/models/{model}/state_dict',
      'loadStateDict: PUT /v1/models/{model}/state_dict',
      'forward: POST /v1/models/{model}/forward',
      'backward: POST /v1/models/{model}/backward',
      'gradcheck: POST /v1/models/{model}/gradcheck',
      'zeroGrad: POST /v1/models/{model}/zero_grad',
      'getOptimizer: GET /v1/models/{model}/optimizer',
      'loadOptimizer: PUT /v1/models/{model}/optimizer',
      'train: POST /v1/models/{model}/train',
      'listJobs: GET /v1/jobs',
      'getJob: GET /v1/jobs/{job}',
      'cancelJob: DELETE /v1/jobs/{job}',
      'listChanges: GET /v1/models/{model}/changes',
      'addWatchpoint: POST /v1/models/{model}/watchpoints',
      'listWatchpoints: GET /v1/models/{model}/watchpoints',
      'getWatchpoint: GET /v1/models/{model}/watchpoints/{watchpoint}',
      'removeWatchpoint: DELETE /v1/models/{model}/watchpoints/{watchpoint}',
      'listDatasets: GET /v1/datasets',
      'putDataset: PUT /v1/datasets/{dataset}',
      'getDataset: GET /v1/datasets/{dataset}',
      'deleteDataset: DELETE /v1/datasets/{dataset}',
      'streamEvents: GET /v1/models/{model}/events',
    ]);
  });

  it('lists the codes of the table of errors, in both directions', () => {
    const { code } = document.components.schemas.Problem!.properties as { code: { enum: string[] } };
    expect(code.enum).toEqual(Object.keys(ERRORS));
    for (const { responses, operationId } of operations) {
      for (const [status, { description, content }] of Object.entries(responses)) {
        for (const [, named] of description.matchAll(/`([A-Z_]{5,})`/g)) {
          expect(ERRORS, operationId).toHaveProperty(named!);
          expect(String(ERRORS[named as keyof typeof ERRORS][0]), operationId).toBe(status);
        }
        if (!status.startsWith('2')) expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
      }
      expect(responses, operationId).toHaveProperty('default');
    }
  });

  it('refers to nothing that it does not have, and has nothing that it does not refer to', () => {
    const refs = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, id]) => id!));
    expect([...refs].sort()).toEqual(Object.keys(document.components.schemas));
  });

  it('describes each operation, its path parameters and a tag', () => {
    for (const { path, operationId, summary, tags, parameters = [], responses } of operations) {
      expect(summary, operationId).toBeTruthy();
      expect(tags, operationId).toHaveLength(1);
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
      const described = parameters.filter(
        (parameter) => parameter.in === 'path' && parameter.required === true,
      );
      expect(described.map(({ name }) => name).sort(), operationId).toEqual(names.sort());
      for (const { description } of Object.values(responses))
        expect(description).not.toBe('Default Response');
    }
  });

  it('has an example for every request with a body, valid by its schema and accepted by the server', async () => {
    for (const operation of operations.filter(({ requestBody }) => requestBody !== undefined)) {
      const { operationId, method, path } = operation;
      const examples = examplesOf(operation);
      expect(examples.length, operationId).toBeGreaterThan(0);
      const validate = validator(operation.requestBody!.content['application/json']!.schema);
      for (const example of examples) {
        expect(validate(example), `${operationId}: ${JSON.stringify(validate.errors)}`).toBe(true);
        const answer = await fetch(
          server.url + path.replace(/{model}|{dataset}/, 'net').replace('{path}', '0.weight'),
          {
            method,
            body: JSON.stringify(example),
            headers: { 'content-type': 'application/json' },
          },
        );
        expect(answer.status, `${operationId}: ${await answer.text()}`).toBeLessThan(300);
      }
    }
  });

  it('has schemas that a validator of JSON Schema 2020-12 compiles', () => {
    for (const id of Object.keys(document.components.schemas)) {
      expect(() => validator({ $ref: `#/components/schemas/${id}` }), id).not.toThrow();
    }
  });

  it('says of unknown fields what the server does: none', async () => {
    for (const operation of operations.filter(({ requestBody }) => requestBody !== undefined)) {
      const validate = validator(operation.requestBody!.content['application/json']!.schema);
      const body = { ...(examplesOf(operation)[0] as object), unheard_of: 1 };
      expect(validate(body), operation.operationId).toBe(false);
      const path = operation.path.replace(/{model}|{dataset}/, 'net').replace('{path}', '0.weight');
      const answer = await fetch(server.url + path, {
        method: operation.method,
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.status, operation.operationId).toBe(422);
      await answer.text();
    }
  });
});

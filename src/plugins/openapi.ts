// The API's description, written from the routes' schemas: /openapi.json, /openapi.yaml and the reference at /docs.
// Only routes that are added after describeApi are in it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { stringify } from 'yaml';
import { RAW_MEDIA_TYPE } from '../tensor/raw.js';
import { VERSION } from '../version.js';
import { FILE_TYPES } from './files.js';
import { setPageHeaders } from './headers.js';
import { documented } from './schema.js';

type Json = Record<string, unknown>;

const DESCRIPTION = `Live neural networks over HTTP: build, look into, patch, re-initialise, tie and run them.
The vocabulary is PyTorch's and so are the numbers: the same seed gives the same weights.

Every answer about a model carries its \`epoch\` and \`revision\`, and an \`ETag\` made of both. Changes are streamed
over the WebSockets \`/v1/stream\` and \`/v1/models/{model}/stream\`. Errors are RFC 9457 problem documents with a
stable \`code\`; everything wrong with a request is reported at once.`;

const TAGS = [
  { name: 'models', description: 'Networks by name' },
  { name: 'modules', description: 'The tree of a network: named_modules()' },
  { name: 'parameters', description: 'Values: named_parameters(), patches, inits, ties, state_dict' },
  { name: 'running', description: 'Forward passes' },
  { name: 'training', description: 'Gradients, optimizers and jobs' },
  { name: 'data', description: 'Named data sets' },
  { name: 'history', description: 'What changed, revision by revision' },
  { name: 'watchpoints', description: 'Conditions on statistics, told when they become true' },
  { name: 'server', description: 'The server itself' },
];

export async function describeApi(app: FastifyInstance): Promise<void> {
  const options = { schemaRegistry: documented };
  const transform = createJsonSchemaTransform(options);
  const addComponents = createJsonSchemaTransformObject(options);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Weightroom',
        version: VERSION,
        description: DESCRIPTION,
      },
      servers: [{ url: '/' }],
      // Whoever reaches the port may do everything.
      security: [],
      tags: TAGS,
    },
    transform: (document) => withOtherBodies(transform(document), document.route.config ?? {}),
    transformObject: (document) => tidy(addComponents(document) as unknown as Json) as never,
  });
  await app.register(async (pages) => {
    await setPageHeaders(pages);
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { deepLinking: true, tryItOutEnabled: true },
    });
  });
}

export function serveDescription(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    reply.type('application/json');
    return JSON.stringify(app.swagger(), null, 2);
  });
  app.get('/openapi.yaml', { schema: { hide: true } }, async (_request, reply) => {
    reply.type('application/yaml');
    return openapiYaml(app);
  });
}

/** The text of openapi.yaml. The app must be ready. */
export function openapiYaml(app: FastifyInstance): string {
  return stringify(JSON.parse(JSON.stringify(app.swagger())), {
    lineWidth: 110,
    aliasDuplicateObjects: false,
  });
}

const rawBody = {
  type: 'string',
  format: 'binary',
  description: 'One tensor: its elements, row-major, little-endian.',
};

const fileBodies = Object.fromEntries(
  Object.entries(FILE_TYPES).map(([type, { description }]) => [
    type,
    { schema: { type: 'string', format: 'binary', description } },
  ]),
);

/** Besides JSON, where a route takes others. */
function withOtherBodies<D extends { schema: FastifySchema }>(
  document: D,
  { raw, files }: FastifyContextConfig,
): D {
  const others = { ...(raw && { [RAW_MEDIA_TYPE]: { schema: rawBody } }), ...(files && fileBodies) };
  if (Object.keys(others).length === 0) return document;
  const content = { 'application/json': { schema: document.schema.body }, ...others };
  return { ...document, schema: { ...document.schema, body: { content } } };
}

/** Every schema comes as what a request takes and as what an answer gives; only those that something refers to stay. */
function tidy(document: Json): Json {
  const { paths, components, tags, ...head } = clean(document) as Json;
  const known = (components as { schemas: Json }).schemas;
  const used = new Set<string>();
  const visit = (value: unknown): void => {
    for (const [, id] of JSON.stringify(value ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(id!)) continue;
      used.add(id!);
      visit(known[id!]);
    }
  };
  visit(paths);
  const schemas = Object.fromEntries([...used].sort().map((id) => [id, known[id]]));
  return { ...head, tags, paths, components: { schemas } };
}

/** Takes out what says nothing: bounds that every double has, and that names are strings. */
export function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, entry]): [string, unknown][] => {
    if (key === 'maximum' && entry === Number.MAX_SAFE_INTEGER) return [];
    if (key === 'minimum' && entry === Number.MIN_SAFE_INTEGER) return [];
    if (key === 'propertyNames') return [];
    return [[key.replace(/^x-kept-(default|examples)$/, '$1'), clean(entry)]];
  });
  return Object.fromEntries(entries);
}

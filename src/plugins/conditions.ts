// What every route that changes something takes besides its own: If-Match, `dry_run`, Idempotency-Key. A route says
// `config: { changes: true }`; its schema gets the rest here, before the document is written.

import type { FastifyInstance, RouteOptions } from 'fastify';
import { z } from 'zod';
import type { ErrorCode } from '../errors.js';
import { KEY_FAULT, KEY_PATTERN } from './idempotency.js';
import { examples, flag, strict } from './schema.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It changes something. */
    changes?: boolean;
  }
  interface FastifyRequest {
    /** Everything but the change itself. */
    dryRun: boolean;
  }
}

const dryRun = flag(false).describe('Check and answer as if it were done, and do nothing.');

const headers = {
  'if-match': z
    .string()
    .optional()
    .describe('Only if the ETag is still this one, else REVISION_MISMATCH with the one of now.')
    .meta(examples('"3e0417d8-dc1a-4376-b768-f169c99fd23c-7"')),
  'idempotency-key': z
    .string()
    .regex(KEY_PATTERN, KEY_FAULT)
    .optional()
    .describe('The same request under the same key is done once: a retry gets the first answer.')
    .meta(examples('7c4a8d09-ca37-4a5e-9d0b-9f2f0a4d0c1e')),
};

const CODES: readonly ErrorCode[] = [
  'REVISION_MISMATCH',
  'IDEMPOTENCY_KEY_IN_USE',
  'IDEMPOTENCY_KEY_REUSED',
  'INVALID_REQUEST',
];

interface Schema {
  querystring?: z.ZodObject;
  headers?: z.ZodObject;
  response?: Record<string, { description: string }>;
}

/** `problems`: the problem answers of a route that has these codes. */
export function declareConditions(
  app: FastifyInstance,
  problems: (...codes: ErrorCode[]) => Record<string, { description: string }>,
): void {
  app.decorateRequest('dryRun', false);
  // Handlers get the query that they know.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.routeOptions.config.changes) {
      const { dry_run: given, ...query } = request.query as { dry_run?: boolean };
      request.dryRun = given === true;
      request.query = query;
    }
    done();
  });
  app.addHook('onRoute', (route: RouteOptions) => {
    const schema = route.schema as Schema | undefined;
    if (!schema || !route.config?.changes) return;
    schema.querystring = strict({ ...schema.querystring?.shape, dry_run: dryRun });
    schema.headers = z.object({ ...schema.headers?.shape, ...headers });
    const named = Object.values(schema.response ?? {}).flatMap(({ description = '' }) =>
      [...description.matchAll(/`([A-Z_]{5,})`/g)].map(([, code]) => code as ErrorCode),
    );
    schema.response = { ...schema.response, ...problems(...new Set([...named, ...CODES])) };
  });
}

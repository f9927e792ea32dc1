// Headers that browsers heed: what answers and pages of ours may do, and which pages of others may read our answers.

import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';

const POLICY = 'content-security-policy';

/** Name, value, name, value: as node:http writes them. */
export const SECURITY_HEADERS = [
  'x-content-type-options',
  'nosniff',
  POLICY,
  "default-src 'none'; frame-ancestors 'none'",
] as const;

/**
 * For every answer: its type is not guessed, and as a page it may load nothing and be framed by nobody. helmet's dozen
 * headers are for pages; computed and sent with each answer they cost a tenth of a small request.
 */
export async function setHeaders(app: FastifyInstance, config: Config): Promise<void> {
  const [type, nosniff, policy, none] = SECURITY_HEADERS;
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header(type, nosniff).header(policy, none);
    done();
  });
  if (config.corsOrigins.length === 0) return;
  await app.register(cors, {
    origin: config.corsOrigins.includes('*') ? '*' : [...config.corsOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [
      'ETag',
      'Location',
      'Retry-After',
      'X-Tensor-Shape',
      'X-Tensor-Dtype',
      'X-Model-Epoch',
      'X-Model-Revision',
    ],
    maxAge: 600,
  });
}

/** For what people look at, in a scope of its own: scripts, styles and connections of ours only. */
export async function setPageHeaders(pages: FastifyInstance): Promise<void> {
  pages.addHook('onRequest', (_request, reply, done) => {
    reply.removeHeader(POLICY);
    done();
  });
  await pages.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // swagger-ui styles its elements in place.
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    },
    // The server speaks plain HTTP; whatever ends TLS before it sets this.
    strictTransportSecurity: false,
  });
}

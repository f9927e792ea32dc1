// Turns whatever goes wrong into application/problem+json: in a handler, in no handler, before routing,
// and below HTTP. Only ApiError's words reach a client; anything else is logged and answered INTERNAL.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError, problem, PROBLEM_MEDIA_TYPE } from '../errors.js';
import { holdOff } from './hold-off.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What Fastify and its plugins throw by themselves, in our words. */
const FRAMEWORK_ERRORS = new Map<string, (request: FastifyRequest) => ApiError>([
  ['FST_ERR_CTP_EMPTY_JSON_BODY', () => new ApiError('INVALID_JSON', ['it is empty'])],
  [
    'FST_ERR_CTP_BODY_TOO_LARGE',
    (request) => new ApiError('BODY_TOO_LARGE', [request.routeOptions.bodyLimit ?? '(limit)']),
  ],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', unsupportedMediaType],
  [
    'FST_ERR_CTP_INVALID_CONTENT_LENGTH',
    () => new ApiError('BAD_REQUEST', ['Content-Length is not the length of the body']),
  ],
  ['FST_ERR_BAD_URL', () => new ApiError('BAD_URL')],
  ['FST_ERR_MAX_PARAM_LENGTH', () => new ApiError('URL_TOO_LONG')],
  [
    'FST_CP_ERR_INVALID_CONTENT_ENCODING',
    () => new ApiError('UNSUPPORTED_MEDIA_TYPE', ['of this Content-Encoding']),
  ],
  ['FST_CP_ERR_INVALID_CONTENT', () => new ApiError('BAD_REQUEST', ['the body does not decompress'])],
  // A body of ours that was let go: nobody else ends one without a reason.
  ['ERR_STREAM_PREMATURE_CLOSE', () => new ApiError('CLIENT_GONE')],
]);

/** clientErrorHandler: error code → ours. */
const SOCKET_ERRORS = new Map<string | undefined, () => ApiError>([
  ['ERR_HTTP_REQUEST_TIMEOUT', () => new ApiError('REQUEST_TIMEOUT')],
  ['HPE_HEADER_OVERFLOW', () => new ApiError('HEADERS_TOO_LARGE')],
]);

/** Installs the handlers of errors and of paths that lead nowhere. */
export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    sendProblem(new ApiError('ROUTE_NOT_FOUND', [`${request.method} ${pathOf(request)}`]), request, reply);
  });
}

/** Remembers the routes added from now on; the function returned adds a 405 with Allow for their other methods. */
export function methodsOf(app: FastifyInstance): () => void {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    methodsByUrl.set(url, methods);
  });
  return () => {
    for (const [url, methods] of [...methodsByUrl]) {
      const others = METHODS.filter((method) => !methods.has(method));
      const allow = [...methods].sort().join(', ');
      app.route({
        method: others,
        url,
        schema: { hide: true },
        // Before the body is read: its faults are not the point.
        onRequest: (request, reply, done) => {
          reply.header('allow', allow);
          done(new ApiError('METHOD_NOT_ALLOWED', [pathOf(request), request.method]));
        },
        handler: () => undefined,
      });
    }
  };
}

/** Fastify's frameworkErrors and the handlers above. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const told = toApiError(error, request);
  if (told.code === 'INTERNAL') request.log.error({ reqId: request.id, err: error }, 'a request failed');
  else
    request.log.debug({ reqId: request.id, code: told.code, detail: told.message }, 'a request was refused');
  if (told.status === 503) reply.header('retry-after', told.retryAfterSeconds);
  if (told.etag !== undefined) reply.header('etag', told.etag);
  // What is left of the body is read and dropped (no longer than requestTimeout), or its sender, still writing, would
  // see a broken connection in place of the answer.
  if (told.code === 'OVERLOADED') holdOff(request.raw);
  else if (!request.raw.complete) request.raw.resume();
  reply
    .code(told.status)
    .type(PROBLEM_MEDIA_TYPE)
    .send(JSON.stringify(problem(told, request.id)));
}

/** Answers broken HTTP on the socket itself and closes it. */
export function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const told = SOCKET_ERRORS.get(error.code)?.() ?? new ApiError('BAD_REQUEST');
    const body = JSON.stringify(problem(told));
    socket.end(
      `HTTP/1.1 ${told.status} ${STATUS_CODES[told.status]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      () => socket.destroy(),
    );
  } else {
    socket.destroy(error);
  }
}

function toApiError(error: unknown, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error;
  const { code, statusCode = 500 } = (error ?? {}) as Partial<FastifyError>;
  const known = FRAMEWORK_ERRORS.get(code ?? '');
  if (known) return known(request);
  if (statusCode >= 400 && statusCode < 500) return new ApiError('BAD_REQUEST');
  return new ApiError('INTERNAL');
}

export function unsupportedMediaType(request: FastifyRequest): ApiError {
  const type = request.headers['content-type'] ?? '(none)';
  const { raw, files } = request.routeOptions.config;
  const served = [
    'application/json',
    ...(raw ? ['application/octet-stream'] : []),
    ...(files ? ['text/csv', 'application/x-npy', 'application/x-npz'] : []),
  ].join(', ');
  const either = served.replace(/, ([^,]*)$/, ' or $1');
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', [JSON.stringify(type), `send ${either}`]);
}

/** The path as the client wrote it, cut to what an answer can bear. */
function pathOf(request: FastifyRequest): string {
  const path = request.url.split('?', 1)[0]!;
  return path.length > 200 ? `${path.slice(0, 200)}...` : path;
}

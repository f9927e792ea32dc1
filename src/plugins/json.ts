// JSON bodies in and out: what is not JSON, or would reach an object's prototype, is 400 with the place named.
// Only JSON bodies are read: a form or text/plain, which any page may send here, is 415.

import type { FastifyInstance } from 'fastify';
import { ApiError } from '../errors.js';
import { stringifyAnswer } from '../tensor/json.js';

export function readJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
    void parse(request, text, (error, body) => done(error === null ? null : explain(text), body));
  });
  app.setSerializerCompiler(() => (body) => stringifyAnswer(body));
  app.setReplySerializer((body) => stringifyAnswer(body));
}

/** Only for a text that was refused: parses it again for the reason. */
function explain(text: string): ApiError {
  try {
    JSON.parse(text);
    return new ApiError('INVALID_JSON', ['it has a key __proto__ or constructor.prototype']);
  } catch (error) {
    return new ApiError('INVALID_JSON', [text === '' ? 'it is empty' : (error as Error).message]);
  }
}

// Problems as the log has them.

import Fastify, { type FastifyBaseLogger } from 'fastify';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { answerProblems } from '#src/plugins/problems.js';

it('an answer that is given up because its client is gone is no defect to the log', async () => {
  const lines: { level: number; code?: string }[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as { level: number });
  const logger: FastifyBaseLogger = pino({ level: 'debug' }, { write });
  const app = Fastify({ loggerInstance: logger, disableRequestLogging: true });
  answerProblems(app);
  app.get('/', (_request, reply) => {
    const body = Readable.from(['text']);
    body.destroy();
    return reply.send(body);
  });
  expect((await app.inject('/')).json()).toMatchObject({ code: 'CLIENT_GONE' });
  expect(lines.filter(({ level }) => level >= 30)).toEqual([]);
  expect(lines).toContainEqual(expect.objectContaining({ code: 'CLIENT_GONE' }));
  await app.close();
});

// The changes of one model as Server-Sent Events: what a subscription over WebSocket is told, for what has no WebSocket.

import { z } from 'zod';
import { ApiError } from '../src/errors.js';
import { CHANGE_KINDS } from '../src/models/change-log.js';
import { ChangeTexts } from '../src/models/change-text.js';
import { Outbox } from '../src/models/outbox.js';
import { CLOSE_CODES, DETAILS, subscribeMessage } from '../src/models/stream-messages.js';
import { Subscriber, type Directory } from '../src/models/subscriptions.js';
import { EventSocket, readEventId } from '../src/plugins/event-stream.js';
import { strict, type App } from '../src/plugins/schema.js';
import { problems } from './answers.js';
import { modelParams } from './inputs.js';
import { LIMITS, type StreamLimits } from './stream.js';

const whole = (text: unknown): unknown =>
  typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text;
const list = (text: unknown): unknown => (typeof text === 'string' ? text.split(',') : text);

const eventsQuery = strict({
  detail: z.enum(DETAILS, `must be one of ${DETAILS.join(', ')}`).default('none'),
  after: z
    .preprocess(whole, z.int('must be a revision').min(0))
    .optional()
    .describe('The last revision seen; from now on where absent. `Last-Event-ID` wins.'),
  prefix: z.string().optional(),
  paths: z.preprocess(list, z.array(z.string())).optional().describe('Paths or globs, with commas between.'),
  kinds: z
    .preprocess(list, z.array(z.enum(CHANGE_KINDS, `must be of ${CHANGE_KINDS.join(', ')}`)))
    .optional()
    .describe('Kinds of changes, with commas between.'),
});

const eventsHeaders = z.object({
  'last-event-id': z.string().optional().describe('The id of the last event seen: goes on behind it.'),
});

export function eventRoutes(
  app: App,
  { directory, ...given }: { directory: Directory; limits?: Partial<StreamLimits> },
): void {
  const limits = { ...LIMITS, ...given.limits };
  const texts = new ChangeTexts(limits.keptTextLength);
  const sockets = new Set<EventSocket>();
  const heartbeat = setInterval(() => {
    for (const socket of sockets) socket.beat();
  }, limits.heartbeatMs / 2).unref();
  app.addHook('preClose', async () => {
    clearInterval(heartbeat);
    for (const socket of sockets) socket.close(CLOSE_CODES.goingAway, 'the server is shutting down');
  });

  app.get(
    '/v1/models/:model/events',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamEvents',
        summary: 'Watch a model: Server-Sent Events',
        description:
          'Each event is a message of the stream (see AsyncAPI): `subscribed`, `change`, `alert`, `progress`, …',
        tags: ['history'],
        params: modelParams,
        headers: eventsHeaders,
        querystring: eventsQuery,
        response: {
          200: {
            description: 'Events, as they come; it ends with the model.',
            content: { 'text/event-stream': { schema: z.string() } },
          },
          ...problems('MODEL_NOT_FOUND', 'INVALID_REQUEST', 'REVISION_UNKNOWN'),
        },
      },
    },
    async (request, reply) => {
      const { model } = request.params;
      if (!directory.find(model)) throw new ApiError('MODEL_NOT_FOUND', [model]);
      const { raw } = reply;
      const socket = new EventSocket(raw, reply.getHeaders());
      const ended = (): void => {
        sockets.delete(socket);
        subscriber.close();
        outbox.dispose();
      };
      const onClosed = ({ code }: { readonly code: number }): void =>
        request.log.info({ code }, 'a client of the events was given up');
      const outbox = new Outbox({ socket, connection: request.raw.socket, limits, onClosed });
      const subscriber = new Subscriber({ directory, outbox, texts, limits, only: model });
      // Refused before anything is answered, or not at all.
      const resumed = lastEvent(request.headers['last-event-id']);
      const asked = { type: 'subscribe', id: 'events', ...request.query, ...resumed };
      subscriber.subscribe(subscribeMessage.parse(asked));
      sockets.add(socket);
      raw.once('close', ended);
      reply.hijack();
      return reply;
    },
  );
}

function lastEvent(given: string | string[] | undefined): { epoch: string; after: number } | undefined {
  if (given === undefined) return undefined;
  const read = readEventId(String(given));
  if (read) return read;
  const message = 'must be the id of an event';
  throw new ApiError('INVALID_REQUEST', [], [{ path: 'header.last-event-id', message }]);
}

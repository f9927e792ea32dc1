// The stream's description, written from its messages' schemas: /asyncapi.yaml, AsyncAPI 3.0. What messages have in common
// with requests (tensors, captures) is as openapi.yaml has it.

import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';
import { z } from 'zod';
import {
  clientMessage,
  forwardHeader,
  outputsHeader,
  serverMessage,
  type ClientMessage,
  type ServerMessage,
} from '../models/stream-messages.js';
import { VERSION } from '../version.js';
import { clean } from './openapi.js';

type Json = Record<string, unknown>;

const SUMMARIES: Readonly<Record<ClientMessage['type'] | ServerMessage['type'], string>> = {
  subscribe: 'Be told of the changes of models',
  unsubscribe: 'End a subscription',
  forward: 'Run a model',
  ping: 'Ask for a pong',
  hello: 'The first message on each socket: the version, and the limits',
  subscribed: 'From which revisions on changes will come',
  unsubscribed: 'The subscription is over',
  change: 'A revision of a model',
  alert: "A watchpoint's condition became true",
  resync: 'What was to come is not in the log any more: read the model anew',
  deleted: 'The model is gone',
  progress: 'How far a training job is',
  outputs: 'What a forward gives',
  pong: 'The answer to a ping',
  error: 'What is wrong with a message; the socket lives on',
};

const HEAD = {
  asyncapi: '3.0.0',
  info: {
    title: 'Weightroom stream',
    version: VERSION,
    description: [
      'Changes of live neural networks as they are made, and forwards, over one WebSocket.',
      'Messages are JSON objects in text frames. A binary frame has the numbers of a tensor behind a header:',
      "the header's length (uint32, little-endian), the header in JSON,",
      'and the numbers, little-endian, from the next multiple of 8 bytes of the frame on.',
    ].join(' '),
  },
  defaultContentType: 'application/json',
  servers: { local: { host: 'localhost:8080', protocol: 'ws' } },
};

/** In what both directions have in common, messages are told from each other by their names. */
interface Message {
  readonly name: string;
  readonly from: 'client' | 'server';
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly binary: boolean;
}

const text = (from: Message['from']) => (schema: { shape: { type: { value: keyof typeof SUMMARIES } } }) => {
  const name = schema.shape.type.value;
  return { name, from, summary: SUMMARIES[name], schema: schema as unknown as z.ZodType, binary: false };
};

const MESSAGES: readonly Message[] = [
  ...clientMessage.options.map(text('client')),
  { name: 'forwardFrame', from: 'client', summary: 'Run a model on the tensor behind the header', schema: forwardHeader, binary: true },
  ...serverMessage.options.map(text('server')),
  { name: 'outputsFrame', from: 'server', summary: 'What a forward gives, behind the header', schema: outputsHeader, binary: true },
]; // prettier-ignore

const schemaRef = (id: string) => ({ $ref: `#/components/schemas/${id}` });

export function serveAsyncapi(app: FastifyInstance): void {
  app.get('/asyncapi.yaml', { schema: { hide: true } }, async (_request, reply) => {
    reply.type('application/yaml');
    return asyncapiYaml(app);
  });
}

/** The text of docs/asyncapi.yaml. The app must be ready. */
export function asyncapiYaml(app: FastifyInstance): string {
  const schemas: Json = {};
  for (const { name, from, schema } of MESSAGES)
    schemas[schemaName(name)] = jsonSchema(schema, from, schemas);
  addShared(schemas, (app.swagger() as { components: { schemas: Json } }).components.schemas);
  const messages = Object.fromEntries(MESSAGES.map((message) => [message.name, describe(message)]));
  const document = {
    ...HEAD,
    channels: {
      stream: { address: '/v1/stream', description: 'About any models.', messages: inChannel() },
      modelStream: {
        address: '/v1/models/{model}/stream',
        description: 'About one model: messages need not name it.',
        parameters: { model: { description: "The model's name." } },
        messages: inChannel(),
      },
    },
    operations: Object.fromEntries(
      ['stream', 'modelStream'].flatMap((channel) => [
        [`${channel}Receive`, operation('receive', channel, 'client')],
        [`${channel}Send`, operation('send', channel, 'server')],
      ]),
    ),
    components: { messages, schemas: sorted(schemas) },
  };
  return stringify(JSON.parse(JSON.stringify(document)), { lineWidth: 110, aliasDuplicateObjects: false });
}

function schemaName(message: string): string {
  return `${message[0]!.toUpperCase()}${message.slice(1)}Message`;
}

/** What a client may send, or what the server does send; definitions go into `schemas`. */
function jsonSchema(schema: z.ZodType, from: Message['from'], schemas: Json): unknown {
  const io = from === 'client' ? 'input' : 'output';
  const written = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-7' });
  const {
    $schema: _,
    definitions = {},
    ...rest
  } = JSON.parse(JSON.stringify(written).replaceAll('"#/definitions/', '"#/components/schemas/')) as Json;
  for (const [id, definition] of Object.entries(definitions as Json)) {
    const { id: _id, $id: _own, ...fields } = definition as Json;
    schemas[id] = clean(fields);
  }
  return clean(rest);
}

/** Takes what is referred to, and what that refers to. */
function addShared(schemas: Json, shared: Json): void {
  const refs = JSON.stringify(schemas).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
  const missing = [...refs].map(([, id]) => id!).filter((id) => !(id in schemas));
  if (missing.length === 0) return;
  for (const id of missing) schemas[id] = shared[id];
  addShared(schemas, shared);
}

function describe({ name, summary, binary }: Message): Json {
  const own = schemaRef(schemaName(name));
  if (!binary) return { name, summary, payload: own };
  const payload = { type: 'string', format: 'binary', description: 'The header and the numbers.' };
  return { name, summary, contentType: 'application/octet-stream', headers: own, payload };
}

function inChannel(): Json {
  return Object.fromEntries(MESSAGES.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }]));
}

function operation(action: 'send' | 'receive', channel: string, from: Message['from']): Json {
  const own = MESSAGES.filter((message) => message.from === from);
  return {
    action,
    channel: { $ref: `#/channels/${channel}` },
    messages: own.map(({ name }) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  };
}

function sorted(schemas: Json): Json {
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
}

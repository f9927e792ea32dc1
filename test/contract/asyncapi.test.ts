// docs/asyncapi.yaml is what the stream's messages are.

import { readFileSync } from 'node:fs';
import specs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeContracts } from '#src/contracts.js';
import { clientMessage, serverMessage } from '#src/models/stream-messages.js';
import { startEcho } from '../routes/echo.js';

const read = (file: string): string => readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
const text = read('asyncapi.yaml');

interface Document {
  channels: Record<string, { address: string; messages: Record<string, object> }>;
  operations: Record<string, { action: string; messages: { $ref: string }[] }>;
  components: {
    messages: Record<string, { summary: string; payload: object; headers?: object }>;
    schemas: Record<string, object>;
  };
}
const document = parse(text) as Document;

/** A validator of one of the document's schemas. */
function validator(schema: object) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'document', components: document.components });
  return ajv.compile(
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"document#/components')) as object,
  );
}

/** Messages that docs/websocket.md shows. */
const shown = [
  ...read('websocket.md').matchAll(/```json (client|server|client frame|server frame)\n(.*?)\n```/gs),
].map(([, from, json]) => ({ from: from!, message: JSON.parse(json!) as { type: string } }));

describe('docs/asyncapi.yaml', () => {
  it('is what the messages describe (else: npm run openapi)', async () => {
    expect((await describeContracts()).asyncapi).toBe(text);
  });

  it('is what the server serves', async () => {
    const server = await startEcho();
    expect(await (await fetch(`${server.url}/asyncapi.yaml`)).text()).toBe(text);
    await server.stop();
  });

  it('is AsyncAPI 3.0, by the schema of AsyncAPI', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const validate = ajv.compile(specs.schemasWithoutId['3.0.0']);
    expect(validate(document), JSON.stringify(validate.errors?.slice(0, 3))).toBe(true);
    expect(validate({ ...document, operations: { told: { action: 'tell' } } })).toBe(false);
  });

  it('has each message, on both channels, from who sends it', () => {
    const types = (union: { options: { shape: { type: { value: string } } }[] }): string[] =>
      union.options.map(({ shape }) => shape.type.value);
    const client = [...types(clientMessage), 'forwardFrame'];
    const server = [...types(serverMessage), 'outputsFrame'];
    expect(Object.keys(document.components.messages)).toEqual([...client, ...server]);
    for (const [channel, { messages }] of Object.entries(document.channels)) {
      expect(Object.keys(messages)).toEqual([...client, ...server]);
      const sent = (operation: string): (string | undefined)[] =>
        document.operations[`${channel}${operation}`]!.messages.map(({ $ref }) => $ref.split('/').at(-1));
      expect(sent('Receive')).toEqual(client);
      expect(sent('Send')).toEqual(server);
    }
  });

  it('refers to nothing that it does not have, and has nothing that it does not refer to', () => {
    const refs = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, id]) => id!));
    expect([...refs].sort()).toEqual(Object.keys(document.components.schemas).sort());
  });

  it.each(shown)('takes the $message.type that docs/websocket.md shows: $message', ({ from, message }) => {
    const framed = from.endsWith('frame');
    const { payload, headers } =
      document.components.messages[framed ? `${message.type}Frame` : message.type]!;
    const validate = validator(framed ? headers! : payload);
    expect(validate(message), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...message, unheard_of: 1 })).toBe(false);
  });
});

// Sees each answer of a server under test, whoever asked and however, and holds it to openapi.yaml: an answer with a status,
// a media type or a body that its operation does not declare is remembered until somebody asks.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ValidateFunction } from 'ajv';
import { operations, validator, type Media } from './document.js';

/** Longer bodies are held to their media type alone. */
const MAX_BODY_BYTES = 1 << 20;
/** Else it is a page, or metrics. */
const API = /^\/(v1|healthz|readyz)\b/;

const routes = operations.map((operation) => ({
  ...operation,
  pattern: new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '[^/]*')}$`),
}));

const validators = new Map<string, ValidateFunction>();

export interface Witness {
  /** What was wrong so far. */
  readonly faults: ReadonlySet<string>;
}

export function witness(server: Server): Witness {
  const faults = new Set<string>();
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const answer = observe(response);
    response.once('finish', () => {
      const fault = faultOf(request, answer());
      if (fault)
        faults.add(`${request.method} ${request.url?.slice(0, 200)} → ${response.statusCode}: ${fault}`);
    });
  });
  return { faults };
}

interface Answer {
  readonly status: number;
  /** '' where there is none. */
  readonly type: string;
  readonly encoded: boolean;
  /** null: too long to look at. */
  readonly body: string | null;
}

/** Copies what is written, up to a bound. Headers may be set one by one, or all together with the status. */
function observe(response: ServerResponse): () => Answer {
  const headers = new Map<string, string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const overhear = (name: 'writeHead' | 'write' | 'end', hear: (args: unknown[]) => void): void => {
    const original = response[name].bind(response) as (...args: unknown[]) => unknown;
    response[name] = ((...args: unknown[]) => {
      hear(args);
      return original(...args);
    }) as never;
  };
  overhear('writeHead', (args) => {
    const given = args.at(-1);
    if (typeof given !== 'object' || given === null) return;
    for (const [name, value] of Array.isArray(given) ? pairs(given) : Object.entries(given))
      headers.set(name.toLowerCase(), String(value));
  });
  for (const name of ['write', 'end'] as const) {
    overhear(name, ([chunk]) => {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return;
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(Buffer.from(chunk as Uint8Array));
    });
  }
  const header = (name: string): string => headers.get(name) ?? String(response.getHeader(name) ?? '');
  return () => ({
    status: response.statusCode,
    type: header('content-type').split(';')[0]!,
    encoded: header('content-encoding') !== '',
    body: bytes > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString(),
  });
}

/** Headers as Node takes them, too: names and values one after another. */
function pairs(list: readonly unknown[]): [string, unknown][] {
  return Array.from({ length: list.length / 2 }, (_, i) => [String(list[2 * i]), list[2 * i + 1]]);
}

function faultOf({ method, url = '' }: IncomingMessage, answer: Answer): string | undefined {
  const [path = ''] = url.split('?');
  if (!API.test(path) || method === 'HEAD' || method === 'OPTIONS') return undefined;
  const { status, type, encoded, body } = answer;
  const route = routes.find((one) => one.method === method && one.pattern.test(path));
  if (!route) {
    const problem = { schema: { $ref: '#/components/schemas/Problem' } };
    return status < 400 ? 'no such operation' : bodyFault('Problem', problem, body);
  }
  const declared = route.responses[status] ?? (status >= 400 ? route.responses.default : undefined);
  if (!declared) return `${route.operationId} does not declare the status`;
  if (body === '' && !declared.content) return undefined;
  const media = declared.content?.[type];
  if (!media) return `${route.operationId} does not declare ${type || 'an answer without a type'}`;
  if (!type.endsWith('json') || encoded) return undefined;
  return bodyFault(`${route.operationId} ${status}`, media, body);
}

function bodyFault(id: string, { schema }: Media, body: string | null): string | undefined {
  if (body === null) return undefined;
  let validate = validators.get(id);
  if (!validate) validators.set(id, (validate = validator(schema)));
  if (validate(JSON.parse(body))) return undefined;
  return `${id}: ${JSON.stringify(validate.errors?.slice(0, 3))} in ${body.slice(0, 500)}`;
}

// How a schema becomes a check of a request, and where a schema is documented.
// One zod schema is the source of the check, of the TypeScript type and of its part of openapi.yaml.

import type { FastifyInstance, FastifySchemaCompiler, FastifyTypeProvider } from 'fastify';
import { z } from 'zod';
import { ApiError, type Fault } from '../errors.js';
import { nearest } from '../nearest.js';

/** Descriptions and examples of schemas; one with an `id` has a name in openapi.yaml, in a request `<id>Input`. */
export const documented = z.globalRegistry;

const MAX_SUGGESTIONS = 100;

/** Requests have the types of their schemas; answers are written by stringifyAnswer, which takes any body. */
interface RequestTypes extends FastifyTypeProvider {
  validator: this['schema'] extends z.core.$ZodType ? z.output<this['schema']> : unknown;
}

export type App = ReturnType<typeof typed>;

export function typed(app: FastifyInstance) {
  return app.withTypeProvider<RequestTypes>();
}

/** An object of a request: a field that is not in `shape` is a fault. */
export function strict<S extends z.core.$ZodLooseShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownFields(issue.keys, Object.keys(shape)) : undefined,
  });
}

/** A whole number in a query. */
export function count({
  min,
  max = Number.MAX_SAFE_INTEGER,
  fallback,
}: {
  min: number;
  max?: number;
  fallback: number;
}) {
  const message = `must be a whole number from ${min} to ${max}`;
  const read = (text: unknown) => (typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : text);
  return withDefault(z.preprocess(read, z.int(message).min(min, message).max(max, message)), fallback);
}

/** true or false in a query. */
export function flag(fallback: boolean) {
  return withDefault(truth, fallback);
}

const readTruth = (text: unknown) => (text === 'true' ? true : text === 'false' ? false : text);
export const truth = z.preprocess(readTruth, z.boolean('must be true or false'));

/** A request's examples. zod takes `examples` and `default` out of what it transforms; plugins/openapi.ts turns these back. */
export function examples(...values: readonly unknown[]) {
  return { 'x-kept-examples': values };
}

function withDefault<S extends z.ZodType>(schema: S, fallback: z.util.NoUndefined<z.output<S>>) {
  return schema.default(fallback).meta({ 'x-kept-default': fallback });
}

/** Fastify's check of a part of a request: everything wrong is in one ApiError. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  // What the router cut out of a path is a string, and a string that names nothing is 404.
  if (httpPart === 'params') return () => true;
  // Read by who asks for them: a copy of all headers for each request costs more than that.
  if (httpPart === 'headers') return () => true;
  if (httpPart === 'querystring') return queryValidator(schema);
  return (data: unknown) => check(schema, data);
};

/** Most requests have no query; what an empty one stands for is known beforehand. */
function queryValidator(schema: z.ZodType) {
  const { data: defaults } = schema.safeParse({});
  return (query: unknown) => {
    if (defaults !== undefined && Object.keys(query as object).length === 0) return { value: defaults };
    return check(schema, query, 'query');
  };
}

function check(schema: z.ZodType, data: unknown, prefix?: string) {
  const parsed = schema.safeParse(data, { error: missing });
  if (parsed.success) return { value: parsed.data };
  return { error: new ApiError('INVALID_REQUEST', [], faultsOf(parsed.error, prefix)) };
}

/** The faults that zod found, each with the way to it. */
export function faultsOf(error: z.core.$ZodError, prefix?: string): Fault[] {
  return error.issues.flatMap((issue) => {
    const path = prefix === undefined ? issue.path : [prefix, ...issue.path];
    if (issue.code !== 'unrecognized_keys')
      return [{ path: pathText(path) || 'body', message: issue.message.replace(/^Invalid input: /, '') }];
    const messages = issue.message.split('\n');
    return issue.keys.map((key, i) => ({
      path: pathText([...path, key]),
      message: messages[i] ?? 'unknown field',
    }));
  });
}

/** `['parameters', '0.weight', 'ops', 1]` → `parameters["0.weight"].ops[1]`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z_]\w*$/.test(String(key))) text += text === '' ? String(key) : `.${String(key)}`;
    else text += `[${JSON.stringify(String(key))}]`;
  }
  return text;
}

/** One line for each of `keys`, in order; a suggestion for the first ones, as looking for it takes time. */
function unknownFields(keys: readonly string[], known: readonly string[]): string {
  const fields = known.join(', ');
  return keys
    .map((key, i) => {
      const near = i < MAX_SUGGESTIONS ? nearest(key, known) : undefined;
      return near === undefined
        ? `unknown field; the fields are ${fields}`
        : `unknown field; did you mean ${near}?`;
    })
    .join('\n');
}

function missing(issue: { code?: string; input?: unknown }): string | undefined {
  return issue.code === 'invalid_type' && issue.input === undefined ? 'is required' : undefined;
}

// Requests drawn from openapi.yaml: values that a schema takes, and the same with something wrong at a random place.

import fc, { type Arbitrary } from 'fast-check';
import { document, type Media, type Operation } from './document.js';

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than this a schema that refers to itself takes the shallowest of what it may be. */
const MAX_DEPTH = 4;
const SMALL = 6;

/** What clients send by mistake, and what attackers do. */
const junk: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, -(2 ** 31), 1e308, 1e-45, '', 'NaN', 'Infinity'),
  fc.constantFrom<unknown>(
    '__proto__',
    'constructor',
    '..',
    '0.weight',
    '**',
    '1/0',
    'é\u0000',
    'x'.repeat(5000),
  ),
  fc.constantFrom<unknown>([], [[]], {}, [null], { __proto__: null, name: 1 }, [[1, 2], [3]], {
    shape: [2 ** 31],
  }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Values of a schema; short, small and shallow. */
export function valid(schema: Schema, depth = 0): Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, allOf, enum: words, const: only, examples = [] } = schema;
  const shown = (examples as unknown[]).map((value) => fc.constant(value));
  if (typeof $ref === 'string') {
    return valid(document.components.schemas[$ref.split('/').at(-1)!]!, depth);
  }
  if ('const' in schema) return fc.constant(only);
  if (Array.isArray(words)) return fc.constantFrom(...(words as unknown[]));
  if (Array.isArray(allOf)) return valid(Object.assign({}, ...(allOf as Schema[])) as Schema, depth);
  const choices = (anyOf ?? oneOf) as Schema[] | undefined;
  if (choices) {
    const flat = choices.filter(({ type }) => type !== 'array' && type !== 'object' && type !== undefined);
    const few = depth > MAX_DEPTH && flat.length > 0 ? flat : choices;
    return fc.oneof(...shown, ...few.map((one) => valid(one, depth + 1)));
  }
  return fc.oneof(...shown, ofType(schema, depth));
}

function ofType(schema: Schema, depth: number): Arbitrary<unknown> {
  switch (schema.type) {
    case 'object':
      return object(schema, depth);
    case 'array':
      return array(schema, depth);
    case 'integer': {
      const min = (schema.minimum as number | undefined) ?? -2;
      return fc.integer({ min, max: Math.min((schema.maximum as number | undefined) ?? Infinity, min + 20) });
    }
    case 'number':
      return fc.double({ min: 1e-3, max: 10, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'string':
      return fc.string({ minLength: (schema.minLength as number | undefined) ?? 0, maxLength: 12 });
    case 'null':
      return fc.constant(null);
    default:
      return depth > MAX_DEPTH ? fc.constant(1) : fc.jsonValue({ maxDepth: 2 });
  }
}

function object(schema: Schema, depth: number): Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties } = schema;
  const known = Object.entries(properties as Record<string, Schema>);
  const wanted = new Set(required as string[]);
  const few = depth > MAX_DEPTH ? known.filter(([name]) => wanted.has(name)) : known;
  const fields = Object.fromEntries(few.map(([name, field]) => [name, valid(field, depth + 1)]));
  const record = fc.record(fields, { requiredKeys: [...wanted] as never });
  if (typeof additionalProperties !== 'object' || known.length > 0) return record;
  const keys = fc.constantFrom('0.weight', '2.bias', '0', 'x', 'y', 'net', '**');
  return fc.dictionary(keys, valid(additionalProperties as Schema, depth + 1), { maxKeys: 2 });
}

function array({ items = {}, prefixItems, minItems = 0, maxItems = SMALL }: Schema, depth: number) {
  if (depth > 2 * MAX_DEPTH) return fc.constant([]);
  if (Array.isArray(prefixItems)) {
    return fc.tuple(...(prefixItems as Schema[]).map((item) => valid(item, depth + 1)));
  }
  const minLength = minItems as number;
  const maxLength = Math.max(minLength, Math.min(maxItems as number, depth > MAX_DEPTH ? 1 : SMALL));
  return fc.array(valid(items as Schema, depth + 1), { minLength, maxLength });
}

/** A value with junk in the place of one of its parts, one part left out, or one too many. */
function spoiled(value: unknown): Arbitrary<unknown> {
  return fc.tuple(fc.nat(), junk, fc.constantFrom('replace', 'drop', 'add')).map(([at, wrong, how]) => {
    const copy = structuredClone(value);
    const places = placesOf(copy);
    if (places.length === 0) return wrong;
    const { holder, key } = places[at % places.length]!;
    if (how === 'replace') holder[key] = wrong;
    else if (how === 'add') holder[Array.isArray(holder) ? holder.length : 'unheard_of'] = wrong;
    else if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
    return copy;
  });
}

type Holder = Record<string | number, unknown>;

function placesOf(value: unknown): { holder: Holder; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesOf(holder[key])]);
}

export interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What stands for `{model}` and the like: names of what is there. */
export type Names = Readonly<Record<string, readonly string[]>>;

function named(known: readonly string[]): Arbitrary<string> {
  const wrong = fc.oneof(
    fc.constantFrom('%2e%2e', '__proto__', 'a%2Fb', 'a%00b', '%zz', '%ff', '-', 'x'.repeat(300)),
    fc.string({ minLength: 1, maxLength: 8 }).map(encodeURIComponent),
  );
  const right = fc.constantFrom(...known).map(encodeURIComponent);
  return fc.oneof({ arbitrary: right, weight: 9 }, { arbitrary: wrong, weight: 1 });
}

/** Requests of an operation: some as they should be, some not. */
export function requests(
  { path, method, parameters = [], requestBody }: Operation & { path: string; method: string },
  names: Names,
) {
  const parts = path.split('/').map((part) => {
    const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
    return name === undefined ? fc.constant(part) : named(names[name]!);
  });
  const of = (where: string) =>
    fc.record(
      Object.fromEntries(
        parameters
          .filter((parameter) => parameter.in === where)
          .map(({ name, schema }) => [name, fc.oneof({ arbitrary: valid(schema ?? {}), weight: 3 }, junk)]),
      ),
      { requiredKeys: [] },
    );
  const sometimes = <T>(arbitrary: Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
  return fc
    .tuple(fc.tuple(...parts), sometimes(of('query')), sometimes(of('header')), bodies(requestBody))
    .map(([at, query, headers, body]): Request => {
      const written = Object.entries(query ?? {}).map(([name, value]): [string, string] => [
        name,
        textOf(value),
      ]);
      const search = new URLSearchParams(written.filter(([, value]) => value.length < 1000)).toString();
      const sent = Object.entries(headers ?? {}).map(([name, value]) => [name, textOf(value)]);
      return {
        path: at.join('/') + (search && `?${search}`),
        headers: {
          ...(body !== undefined && method !== 'GET' && { 'content-type': 'application/json' }),
          ...Object.fromEntries(sent.filter(([, value]) => /^[\x21-\x7e]{0,100}$/.test(value!))),
        },
        ...(body !== undefined && { body }),
      };
    });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function bodies(requestBody: { content: Record<string, Media> } | undefined): Arbitrary<string | undefined> {
  const media = requestBody?.content['application/json'];
  if (!media) return fc.constant(undefined);
  const shown = Object.values(media.examples ?? {}).map(({ value }) => fc.constant(value));
  const good = fc.oneof(...shown, valid(media.schema));
  const text = fc.oneof(
    { arbitrary: good.map((value) => JSON.stringify(value)), weight: 4 },
    { arbitrary: good.chain(spoiled).map((value) => JSON.stringify(value)), weight: 5 },
    { arbitrary: good.map((value) => JSON.stringify(value).slice(0, -1)), weight: 1 },
    fc.constantFrom('', '{', '{"a":1e400}', '{"a":1,"a":2}', '[[[[', 'null', '"', '\u0000'),
  );
  return text;
}

// What a client says of the inside of a forward: which modules' outputs it wants to see, and what is to be another in this
// one forward. Tensors are not decoded here, and nothing is known of the model.

import { z } from 'zod';
import { didYouMean } from '../nearest.js';
import { MAX_PATTERN } from '../nn/path-pattern.js';
import { bins } from '../tensor/bins-schema.js';
import { INTERVENTIONS, type InterventionName } from './intervene.js';

/** Entries of each list: a walk over the tree asks all of them for each module. */
const MAX_ENTRIES = 32;

function strict<S extends z.core.$ZodLooseShape>(shape: S, otherwise: string) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys'
        ? keys
            .map((key) => `unknown field${didYouMean(key, known) || `; the fields are ${known.join(', ')}`}`)
            .join('\n')
        : otherwise,
  });
}

const TOO_LONG = `must have at most ${MAX_PATTERN} characters`;
const pattern = z.string('must be a path or a pattern, e.g. "0.*"').max(MAX_PATTERN, TOO_LONG);
const index = z.string('must be an index, e.g. ":,0"');
const type = z.string('must be a type, e.g. "ReLU"');
const captureFields = strict(
  {
    path: pattern.optional(),
    type: type.optional(),
    index: index.optional(),
    stats: z.boolean('must be true or false').default(false),
    bins: bins.optional(),
  },
  'must be a path, or an object with a path or a type',
).check((context) => {
  const { path, type: of, stats, bins: given } = context.value;
  const add = (at: string[], message: string): void =>
    void context.issues.push({ code: 'custom', path: at, message, input: context.value });
  if (path === undefined && of === undefined) add([], 'needs a path or a type');
  if (given !== undefined && !stats) add(['bins'], 'are those of a histogram: stats must be true');
});

const ref = (id: string) => ({ $ref: `#/components/schemas/${id}` });
const says = (description: string) => ({ type: 'string', description });

/** What a client's value is read by; any value that is there is documented in the same way. */
function written<T>(id: string, keywords: object, schemaFor: (given: unknown) => z.ZodType<T>) {
  return z
    .custom<unknown>((value) => value !== undefined, 'is required')
    .register(z.globalRegistry, { id, ...keywords })
    .transform((given, context): T => {
      const parsed = schemaFor(given).safeParse(given, { error: missing });
      if (parsed.success) return parsed.data;
      for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: given } as never);
      return z.NEVER;
    });
}

function missing(issue: { code?: string; input?: unknown }): string | undefined {
  return issue.code === 'invalid_type' && issue.input === undefined ? 'is required' : undefined;
}

export type CaptureRequest = z.output<typeof captureFields>;

const capture = written<CaptureRequest>(
  'Capture',
  {
    description: 'Modules: by path or pattern, by type, or by both. A path may stand alone.',
    anyOf: [
      { type: 'string' },
      {
        type: 'object',
        properties: {
          path: says('Relative to the module that runs; or a pattern.'),
          type: says('A torch.nn class.'),
          index: says('What of the output: Python slicing.'),
          stats: { type: 'boolean', default: false, description: 'Statistics in place of values.' },
          bins: {
            description: 'With stats: a histogram, of so many bins or between edges.',
            anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'number' } }],
          },
        },
        additionalProperties: false,
      },
    ],
    examples: ['0', { path: '**', type: 'ReLU' }, { path: '0', index: ':,0' }, { path: '**', stats: true }],
  },
  (given) =>
    typeof given === 'string' ? pattern.transform((path) => ({ path, stats: false })) : captureFields,
);

export const captureSchema = z
  .array(capture, 'must be a list of paths, or of objects with a path or a type')
  .max(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`)
  .describe('The modules whose outputs are answered too, as `captured`.');

const names = Object.keys(INTERVENTIONS) as [InterventionName, ...InterventionName[]];
const intervention = strict(
  {
    op: z.enum(names, {
      error: ({ input }) =>
        input === undefined
          ? 'is required'
          : `must be one of ${names.join(', ')}${typeof input === 'string' ? didYouMean(input, names) : ''}`,
    }),
    value: z.custom<unknown>((value) => value !== undefined, 'is required'),
    index: index.optional(),
  },
  'must be an object with an op and a value',
);

export interface InterventionRequest extends z.output<typeof intervention> {
  /** Where it, and where its value stands among what was given under one path. */
  readonly at: string;
  readonly valueAt: string;
}

z.custom().register(z.globalRegistry, {
  id: 'Intervention',
  type: 'object',
  properties: {
    op: { type: 'string', enum: names },
    value: ref('TensorInput'),
    index: says('What is to be another: Python slicing; all of it where absent.'),
  },
  required: ['op', 'value'],
  additionalProperties: false,
});

const isRecord = (given: unknown): given is Record<string, unknown> =>
  typeof given === 'object' && given !== null && !Array.isArray(given);

const interventions = written<readonly InterventionRequest[]>(
  'Interventions',
  {
    description: 'A tensor that is set; or what is done; or several of these, done in order.',
    anyOf: [ref('TensorInput'), ref('InterventionInput'), { type: 'array', items: ref('InterventionInput') }],
    examples: [{ op: 'mul', value: 0, index: ':,3' }],
  },
  (given) => {
    if (Array.isArray(given) && isRecord(given[0])) {
      return z
        .array(intervention)
        .max(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`)
        .transform((all) => all.map((one, i) => ({ ...one, at: `[${i}]`, valueAt: `[${i}].value` })));
    }
    const isTensor = !isRecord(given) || (!('op' in given) && ('data' in given || 'shape' in given));
    if (isTensor) return z.unknown().transform((value) => [{ op: 'set', value, at: '', valueAt: '' }]);
    return intervention.transform((one) => [{ ...one, at: '', valueAt: '.value' }]);
  },
);

const byPattern = z
  .record(z.string(), interventions, 'must be an object of interventions by path or pattern')
  .check((context) => {
    const keys = Object.keys(context.value);
    const add = (path: string[], message: string): void =>
      void context.issues.push({ code: 'custom', path, message, input: context.value });
    if (keys.length > MAX_ENTRIES) add([], `must have at most ${MAX_ENTRIES} entries`);
    for (const key of keys) if (key.length > MAX_PATTERN) add([key], TOO_LONG);
  });

export const interventionsSchema = strict(
  {
    outputs: byPattern.optional().describe('Of modules, by path or pattern: what they give.'),
    parameters: byPattern.optional().describe('Of parameters and buffers, by path or pattern.'),
  },
  'must be an object with outputs, parameters or both',
).describe(
  'What is another value in this one forward. Paths are relative to the module that runs; the model does not change.',
);
export type InterventionsRequest = z.output<typeof interventionsSchema>;

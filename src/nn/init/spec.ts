// torch.nn.init as data: every init's name, arguments and PyTorch's defaults, as clients send them and layers hold them.
// The schemas know nothing of shapes: apply.ts tells what does not fit a tensor.

import { z } from 'zod';
import { didYouMean } from '../../nearest.js';
import { number, numberOr } from '../../tensor/number-schema.js';
import { expressionSchema } from '../expression.js';
import { NONLINEARITIES } from './gain.js';

const then = expressionSchema
  .optional()
  .describe('Applied to the initialised tensor, which it calls w: "w * (abs(w) >= 5)".');

function strict<S extends z.core.$ZodLooseShape>(shape: S) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys'
        ? keys
            .map((key) => `unknown field${didYouMean(key, known) || `; the fields are ${known.join(', ')}`}`)
            .join('\n')
        : undefined,
  });
}

/** One of torch.nn.init's functions; its name with PyTorch's trailing underscore is taken, too. */
function torchInit<N extends string, S extends z.core.$ZodLooseShape>(name: N, args: S) {
  return strict({ name: z.literal([name, `${name}_`]).transform(() => name), ...args, then });
}

const kaiming = {
  a: numberOr(0).describe('Negative slope of the rectifier that follows; counts for leaky_relu.'),
  mode: z
    .enum(['fan_in', 'fan_out'], {
      error: ({ input }) => `Mode ${String(input)} not supported, please use one of ['fan_in', 'fan_out']`,
    })
    .default('fan_in'),
  nonlinearity: z
    .enum(NONLINEARITIES, { error: ({ input }) => `Unsupported nonlinearity ${String(input)}` })
    .default('leaky_relu'),
};

const component = strict({
  p: z.number().min(0).max(1),
  uniform: z.tuple([number, number]).optional().describe('[from, to)'),
  normal: z.tuple([number, number]).optional().describe('[mean, std]'),
  constant: number.optional(),
}).refine(
  (given) => [given.uniform, given.normal, given.constant].filter((v) => v !== undefined).length === 1,
  {
    error: 'has exactly one of uniform, normal, constant',
  },
);

const mixture = strict({
  name: z.literal('mixture'),
  components: z
    .array(component)
    .min(1)
    .max(64)
    .refine((list) => Math.abs(list.reduce((sum, { p }) => sum + p, 0) - 1) <= 1e-6, {
      error: ({ input }) =>
        `the p add up to ${(input as { p: number }[]).reduce((sum, { p }) => sum + p, 0)}, not to 1`,
    }),
  then,
}).describe(
  'Each element is from one component. One rand over the tensor chooses (component k where it is below the sum of the ' +
    'first k p); then each uniform and normal, in order, fills a whole tensor, of which its elements are taken.',
);

const SCHEMAS = [
  torchInit('uniform', { a: numberOr(0), b: numberOr(1) }),
  torchInit('normal', { mean: numberOr(0), std: numberOr(1) }),
  torchInit('trunc_normal', {
    mean: numberOr(0),
    std: numberOr(1),
    a: numberOr(-2),
    b: numberOr(2),
  }),
  torchInit('constant', { val: number }),
  torchInit('ones', {}),
  torchInit('zeros', {}),
  torchInit('eye', {}),
  torchInit('dirac', { groups: z.int().min(1).default(1) }),
  torchInit('xavier_uniform', { gain: numberOr(1) }),
  torchInit('xavier_normal', { gain: numberOr(1) }),
  torchInit('kaiming_uniform', kaiming),
  torchInit('kaiming_normal', kaiming),
  torchInit('orthogonal', { gain: numberOr(1) }),
  torchInit('sparse', {
    sparsity: z.number().min(0).max(1).describe('The share of each column that is set to zero.'),
    std: numberOr(0.01),
  }),
  mixture,
  strict({ name: z.literal('default'), then }).describe("What the layer's reset_parameters does."),
] as const;

export const initSchema = z.discriminatedUnion('name', SCHEMAS, {
  error: ({ code, input }) => {
    if (code !== 'invalid_union') return undefined;
    const given = (input as { name?: unknown }).name;
    const names = SCHEMAS.map(({ shape: { name } }) => String(('in' in name ? name.in : name).def.values[0]));
    if (typeof given !== 'string') return `is required: one of ${names.join(', ')}`;
    return `unknown init ${given}${didYouMean(given, names) || `; the inits are ${names.join(', ')}`}`;
  },
});

/** An init as it is written down: arguments that have a default may be absent. */
export type InitSpec = z.input<typeof initSchema>;
/** An init with all of its arguments. */
export type Init = z.output<typeof initSchema>;
export type InitName = Init['name'];
export type InitOf<N extends InitName> = Extract<Init, { name: N }>;

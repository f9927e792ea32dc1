import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { initSchema } from '#src/nn/init/spec.js';

function faults(spec: unknown): string[] {
  return (
    initSchema.safeParse(spec).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  );
}

describe('an init spec', () => {
  it.each([
    [{ name: 'uniform' }, { a: 0, b: 1 }],
    [{ name: 'normal' }, { mean: 0, std: 1 }],
    [{ name: 'trunc_normal' }, { mean: 0, std: 1, a: -2, b: 2 }],
    [{ name: 'dirac' }, { groups: 1 }],
    [{ name: 'xavier_uniform' }, { gain: 1 }],
    [{ name: 'xavier_normal' }, { gain: 1 }],
    [{ name: 'kaiming_uniform' }, { a: 0, mode: 'fan_in', nonlinearity: 'leaky_relu' }],
    [{ name: 'kaiming_normal' }, { a: 0, mode: 'fan_in', nonlinearity: 'leaky_relu' }],
    [{ name: 'orthogonal' }, { gain: 1 }],
    [
      { name: 'sparse', sparsity: 0.1 },
      { sparsity: 0.1, std: 0.01 },
    ],
    [{ name: 'ones' }, {}],
    [{ name: 'zeros' }, {}],
    [{ name: 'eye' }, {}],
    [{ name: 'default' }, {}],
  ])("has PyTorch's defaults: %j", (spec, args) => {
    expect(initSchema.parse(spec)).toEqual({ name: spec.name, ...args });
  });

  it('takes the words for numbers that JSON cannot write', () => {
    expect(initSchema.parse({ name: 'constant', val: '-Infinity' })).toEqual({
      name: 'constant',
      val: -Infinity,
    });
    expect(initSchema.parse({ name: 'trunc_normal', a: '-Infinity', b: 'Infinity' })).toEqual({
      name: 'trunc_normal',
      mean: 0,
      std: 1,
      a: -Infinity,
      b: Infinity,
    });
  });

  it("may have its name's trailing underscore", () => {
    expect(initSchema.parse({ name: 'normal_', std: 0.01 })).toEqual({ name: 'normal', mean: 0, std: 0.01 });
  });

  it.each<[unknown, string[]]>([
    [{ name: 'nromal' }, ['name: unknown init nromal; did you mean normal?']],
    [{ name: 'kaiming_normal', moed: 'fan_in' }, [': unknown field; did you mean mode?']],
    [
      { name: 'kaiming_normal', mode: 'x', nonlinearity: 'y' },
      [
        "mode: Mode x not supported, please use one of ['fan_in', 'fan_out']",
        'nonlinearity: Unsupported nonlinearity y',
      ],
    ],
    [
      { name: 'mixture', components: [{ p: 0.5, constant: 1 }] },
      ['components: the p add up to 0.5, not to 1'],
    ],
    [
      { name: 'mixture', components: [{ p: 1, constant: 1, uniform: [0, 1] }] },
      ['components.0: has exactly one of uniform, normal, constant'],
    ],
    [{ name: 'ones', then: 'w + x' }, ['then: unknown name x; did you mean w?, at character 5']],
  ])('says what is wrong: %j', (spec, messages) => {
    expect(faults(spec)).toEqual(messages);
  });

  it.each([
    {},
    { name: '__proto__' },
    { name: 'constructor' },
    { name: 3 },
    null,
    [],
    'normal',
    { name: 'uniform', a: 'nan' },
    { name: 'constant' },
    { name: 'dirac', groups: 'Infinity' },
    { name: 'sparse', sparsity: 'NaN' },
  ])('is refused: %j', (spec) => {
    expect(faults(spec)).toHaveLength(1);
  });

  it('has a JSON schema that lists every argument', () => {
    const schema = z.toJSONSchema(initSchema, { io: 'input', unrepresentable: 'any' });
    expect(schema.oneOf).toHaveLength(16);
    expect(JSON.stringify(schema)).toContain('"enum":["trunc_normal","trunc_normal_"]');
  });
});

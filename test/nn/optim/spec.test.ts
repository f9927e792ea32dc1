// Optimizers as clients write them: options, parameter groups, and what is refused in which words.

import { describe, expect, it } from 'vitest';
import { groupParameters, parseOptimizer, type OptimizerSpec } from '#src/nn/optim/spec.js';
import { OPTIMIZERS, type OptimizerName } from '#src/nn/optim/table.js';
import { fixture } from './fixture.js';

function parsed(given: object): OptimizerSpec {
  const spec = parseOptimizer(given, 'optimizer');
  if ('faults' in spec) throw new Error(JSON.stringify(spec.faults));
  return spec.value;
}

function faults(given: unknown): string[] {
  const spec = parseOptimizer(given, 'optimizer');
  return 'faults' in spec ? spec.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

describe.each(Object.keys(OPTIMIZERS) as OptimizerName[])('%s', (name) => {
  it("has PyTorch's options and defaults, all of them", () => {
    expect(parsed({ name }).settings).toEqual(fixture.defaults[name]);
  });

  it('is known by its names in PyTorch', () => {
    expect(parsed({ name: `torch.optim.${name}` }).name).toBe(name);
    expect(parsed({ name: `optim.${name}` }).name).toBe(name);
  });
});

describe("what PyTorch's constructors raise is refused in their words", () => {
  it.each(fixture.refused.map(({ name, options, message }) => [name, options, message] as const))(
    '%s %j',
    (name, options, message) => expect(faults({ name, ...options })[0]).toBe(`optimizer: ${message}`),
  );
});

describe('everything that is wrong is told at once', () => {
  it.each([
    [7, ['optimizer: must be an object with a name and options, got 7']],
    [{ lr: 1 }, ["optimizer.name: must be an optimizer's name, got nothing"]],
    [{ name: 'Adma' }, ['optimizer.name: unknown optimizer "Adma"; did you mean Adam?']],
    [
      { name: 'constructor' },
      [expect.stringContaining('unknown optimizer "constructor"; known are SGD, Adam')],
    ],
    [
      { name: 'SGD', lr: 'fast', momentun: 0.9, nesterov: 1 },
      [
        'optimizer.momentun: unknown option of SGD; did you mean momentum?',
        'optimizer.lr: must be a number, got "fast"',
        'optimizer.nesterov: must be true or false, got 1',
      ],
    ],
    [
      { name: 'SGD', lr: -1, weight_decay: -2 },
      ['optimizer: Invalid learning rate: -1', 'optimizer: Invalid weight_decay value: -2'],
    ],
    [
      { name: 'Adam', betas: [0.9], foreach: true, fused: true, capturable: true, differentiable: true },
      [
        'optimizer.betas: must be a list of 2 numbers, got [0.9]',
        'optimizer.foreach: only None or False is supported, got true',
        'optimizer.capturable: only False is supported, got true',
        'optimizer.differentiable: only False is supported, got true',
        'optimizer.fused: only None or False is supported, got true',
      ],
    ],
    [{ name: 'Adam', betas: 0.9 }, ['optimizer.betas: must be a list of 2 numbers, got 0.9']],
    [{ name: 'SGD', groups: 7 }, ['optimizer.groups: must be a list of at most 100 groups, got 7']],
    [
      { name: 'SGD', groups: [7, { params: [] }, { params: 'a', lr: -1, mometum: 1 }] },
      [
        'optimizer.groups[0]: must be an object with params and options, got 7',
        'optimizer.groups[1].params: must be a pattern of at most 256 characters, or a list of 1 to 100 of them, got []',
        'optimizer.groups[2].mometum: unknown option of SGD; did you mean momentum?',
      ],
    ],
    [{ name: 'SGD', groups: [{ params: 'a', lr: -1 }] }, ['optimizer.groups[0]: Invalid learning rate: -1']],
    [{ name: 'SGD', lr: 'x', groups: [{ params: 'a' }] }, ['optimizer.lr: must be a number, got "x"']],
    [
      { name: 'LBFGS', groups: [{ params: '*' }] },
      ["optimizer.groups: LBFGS doesn't support per-parameter options (parameter groups)"],
    ],
  ])('%j', (given, messages) => expect(faults(given)).toEqual(messages));

  it('a foreach of null or false says what is so, and is taken', () => {
    expect(parsed({ name: 'Adam', foreach: null, fused: false, capturable: false }).settings.fused).toBe(
      false,
    );
  });

  it('a name out of Object.prototype is an unknown option', () => {
    const given = JSON.parse('{"name": "SGD", "__proto__": 1, "constructor": 2}') as object;
    expect(faults(given)).toEqual([
      'optimizer.__proto__: unknown option of SGD',
      'optimizer.constructor: unknown option of SGD',
    ]);
  });
});

const PATHS = ['0.weight', '0.bias', '2.net.weight', '2.net.bias', 'head.weight'];

function grouped(...groups: object[]): unknown {
  const result = groupParameters(parsed({ name: 'SGD', lr: 0.1, momentum: 0.5, groups }), PATHS);
  if ('faults' in result) return result.faults.map(({ path, message }) => `${path}: ${message}`);
  return result.value.map(({ params, settings: { lr, momentum } }) => ({ params, lr, momentum }));
}

describe('parameter groups', () => {
  it('take the options that are not theirs from the optimizer; the rest of the parameters come last', () => {
    expect(grouped({ params: '0.*', lr: 0.01 }, { params: ['**.bias', 'head.*'], momentum: 0 })).toEqual([
      { params: ['0.weight', '0.bias'], lr: 0.01, momentum: 0.5 },
      { params: ['2.net.bias', 'head.weight'], lr: 0.1, momentum: 0 },
      { params: ['2.net.weight'], lr: 0.1, momentum: 0.5 },
    ]);
  });

  it('that take everything leave no rest', () => {
    expect(grouped({ params: '**' })).toEqual([{ params: PATHS, lr: 0.1, momentum: 0.5 }]);
  });

  it('hold each parameter once, whatever the order of the patterns in a group', () => {
    expect(grouped({ params: ['**.bias', '0.**'] }, { params: '**' })).toEqual([
      { params: ['0.weight', '0.bias', '2.net.bias'], lr: 0.1, momentum: 0.5 },
      { params: ['2.net.weight', 'head.weight'], lr: 0.1, momentum: 0.5 },
    ]);
  });

  it('with a pattern that matches nothing are refused with the nearest path', () => {
    expect(grouped({ params: ['0.wieght', '1.*.weight'] }, { params: 'encoder.**' })).toEqual([
      'optimizer.groups[0].params: "0.wieght" matches no parameter; did you mean 0.weight?',
      'optimizer.groups[0].params: "1.*.weight" matches no parameter; did you mean 2.net.weight?',
      'optimizer.groups[1].params: "encoder.**" matches no parameter',
    ]);
  });

  it('to which earlier ones leave nothing are refused', () => {
    expect(grouped({ params: '0.*' }, { params: '0.bias' })).toEqual([
      'optimizer.groups[1].params: every parameter it matches belongs to an earlier group',
    ]);
  });

  it('of more matching than a request may cause are refused before it begins', () => {
    const spec = parsed({
      name: 'SGD',
      groups: [{ params: Array.from({ length: 100 }, () => '*a'.repeat(128)) }],
    });
    const many = Array.from({ length: 2000 }, (_, i) => `${'a'.repeat(40)}${i}`);
    expect(groupParameters(spec, many)).toEqual({
      faults: [{ path: 'optimizer.groups[0]', message: '100 patterns are too many for 2000 parameters' }],
    });
  });
});

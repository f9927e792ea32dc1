// An optimizer's state on the wire: PyTorch's state_dict, out and in again, and dotted names.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lbfgsEntries } from '#src/nn/optim/lbfgs-state.js';
import {
  parseStatePath,
  readLbfgsStateDict,
  readStateDict,
  stateDict,
  statePath,
} from '#src/nn/optim/state-dict.js';
import { groupParameters, parseOptimizer, type ParameterGroup } from '#src/nn/optim/spec.js';
import type { ElementwiseName } from '#src/nn/optim/table.js';
import { fixture } from './fixture.js';

const PATHS = fixture.sizes.map((size) => `p.${size}`);

function groupsOf(name: string, options: object, paths = PATHS): ParameterGroup[] {
  const spec = parseOptimizer({ name, ...options }, 'optimizer');
  if ('faults' in spec) throw new Error(JSON.stringify(spec.faults));
  const groups = groupParameters(spec.value, paths);
  if ('faults' in groups) throw new Error(JSON.stringify(groups.faults));
  return groups.value;
}

const shapeOf = (path: string): number[] => [Number(path.slice(2))];
const target = (name: string, groups: readonly ParameterGroup[]) => ({
  name: name as ElementwiseName,
  groups,
  shapeOf,
});

describe.each(fixture.updates.map((update) => ({ ...update, shown: JSON.stringify(update.options) })))(
  'the state_dict of $name $shown',
  ({ name, options, state, param_groups }) => {
    // PyTorch notes a buffer that SGD does not have as null.
    const kept = Object.fromEntries(
      Object.entries(state).filter(([, tensors]) => Object.keys(tensors).length > 0),
    );

    it("has PyTorch's shape: its groups, options, numbers and tensors", () => {
      const written = stateDict(groupsOf(name, options), (path) => kept[String(PATHS.indexOf(path))]);
      expect(written).toEqual({ state: kept, param_groups });
    });

    it("is read from PyTorch's, with the tensors' shapes", () => {
      const read = readStateDict({ state, param_groups }, target(name, groupsOf(name, {})), 'body');
      if ('faults' in read) throw new Error(JSON.stringify(read.faults));
      expect(read.value.groups).toEqual(groupsOf(name, options));
      const tensors = [...read.value.tensors].map(([path, tensors]) => [
        PATHS.indexOf(path),
        Object.fromEntries(
          [...tensors].map(([key, { value, shape }]) => [key, { ...(value as object), shape }]),
        ),
      ]);
      expect(Object.fromEntries(tensors)).toEqual(kept);
    });
  },
);

describe('a state_dict', () => {
  const groups = groupsOf('Adam', { groups: [{ params: 'p.3', lr: 0.5 }] });
  const tensors = { step: 1, exp_avg: 2, exp_avg_sq: 3 };
  const written = stateDict(groups, () => tensors);
  const faults = (given: unknown): string[] => {
    const read = readStateDict(given, target('Adam', groups), 'body');
    return 'faults' in read ? read.faults.map(({ path, message }) => `${path}: ${message}`) : [];
  };

  it('numbers parameters in the order of the groups', () => {
    expect(written.param_groups.map(({ params, param_names }) => [params, param_names])).toEqual([
      [[0], ['p.3']],
      [
        [1, 2, 3],
        ['p.1', 'p.17', 'p.1000'],
      ],
    ]);
  });

  it('is read by the numbers that were sent, whatever they are', () => {
    const given = {
      state: { 70: tensors, 5: tensors },
      param_groups: [
        { params: [70], lr: 0.25 },
        { params: [9, 5, 11], lr: 0.125, initial_lr: 0.5, max_lr: 3 },
      ],
    };
    const read = readStateDict(given, target('Adam', groups), 'body');
    if ('faults' in read) throw new Error(JSON.stringify(read.faults));
    expect([...read.value.tensors.keys()].sort()).toEqual(['p.17', 'p.3']);
    expect(read.value.groups.map(({ settings: { lr, initial_lr } }) => [lr, initial_lr])).toEqual([
      [0.25, undefined],
      [0.125, 0.5],
    ]);
  });

  it.each([
    [7, ['body: must be an object with state and param_groups']],
    [{ state: [], param_groups: [] }, ['body: must be an object with state and param_groups']],
    [
      { state: {}, param_groups: [] },
      ['body.param_groups: loaded state dict has a different number of parameter groups'],
    ],
    [
      { state: {}, param_groups: [7, { params: [1, 2] }] },
      [
        'body.param_groups[0]: must be an object with params, got 7',
        "body.param_groups[0].params: loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
        "body.param_groups[1].params: loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
      ],
    ],
    [
      {
        state: {},
        param_groups: [
          { params: [0], lr: -1 },
          { params: [1, 2, 3], bets: [0, 0] },
        ],
      },
      [
        'body.param_groups[0]: Invalid learning rate: -1',
        'body.param_groups[1].bets: unknown option of Adam; did you mean betas?',
      ],
    ],
    [
      {
        state: { 0: 7, 1: { step: 1, exp_avg: 2, momentum: 3 }, 8: tensors, __proto__x: {} },
        param_groups: [{ params: [0] }, { params: [1, 2, 3] }],
      },
      [
        'body.state.0: must be an object, got 7',
        'body.state.8: no group has a parameter of this number',
        'body.state.__proto__x: no group has a parameter of this number',
        'body.state.1: Adam keeps no "momentum"',
        'body.state.1: exp_avg_sq is missing',
      ],
    ],
  ])('%j is refused with everything that is wrong', (given, messages) => {
    expect(faults(given)).toEqual(messages);
  });
});

describe("LBFGS's state", () => {
  const groups = groupsOf('LBFGS', { history_size: 3 });
  const state = {
    n_iter: 9,
    func_evals: 12,
    t: 0.5,
    H_diag: 2,
    prev_loss: 3,
    ro: [4, 5, 6],
    order: [2, 0, 1],
  };
  const entries = lbfgsEntries(state, (vector, row) => `${vector} ${row ?? ''}`);
  const { param_groups } = stateDict(groups, () => undefined);
  const read = (sent: Record<string, unknown>, others = {}) =>
    readLbfgsStateDict({ state: { 0: sent, ...others }, param_groups }, groups, 'body');
  const faults = (sent: Record<string, unknown>, others = {}): string[] => {
    const result = read(sent, others);
    return 'faults' in result ? result.faults.map(({ path, message }) => `${path}: ${message}`) : [];
  };

  it('has the names that it has in PyTorch', () => {
    expect(Object.keys(entries).sort()).toEqual([...fixture.lbfgs_state].sort());
  });

  it('is written with the oldest row first, and read as it stands', () => {
    const result = read(entries);
    if ('faults' in result) throw new Error(JSON.stringify(result.faults));
    expect(result.value).toEqual({
      groups,
      state: {
        state: { ...state, order: [0, 1, 2] },
        d: 'd ',
        prev_flat_grad: 'prev_flat_grad ',
        old_dirs: ['old_dirs 2', 'old_dirs 0', 'old_dirs 1'],
        old_stps: ['old_stps 2', 'old_stps 0', 'old_stps 1'],
      },
    });
  });

  it('of no step is counts alone, and read as none', () => {
    const none = lbfgsEntries({ ...state, n_iter: 0, func_evals: 1 }, () => 'a tensor');
    expect(none).toEqual({ n_iter: 0, func_evals: 1 });
    expect(read(none)).toEqual({ value: { groups, state: undefined } });
  });

  it('after one step has no al in PyTorch, and is read without', () => {
    const { al: _al, ...rest } = entries;
    expect(read(rest)).toEqual(read(entries));
  });

  it('has numbers that may be tensors of one', () => {
    const result = read({ ...entries, t: { shape: [], data: [0.25] }, ro: [1, { shape: [], data: [2] }, 3] });
    expect(result).toMatchObject({ value: { state: { state: { t: 0.25, ro: [1, 2, 3] } } } });
  });

  it.each([
    [
      { ...entries, t: 'far', extra: 1 },
      {},
      ['body.state.0: LBFGS keeps no "extra"', 'body.state.0.t: must be a number, got "far"'],
    ],
    [{ ...entries, ro: [1, 2] }, {}, ['body.state.0: old_dirs, old_stps and ro must have as many entries']],
    [
      { ...entries, ro: [1, 2, 3, 4], old_dirs: ['', '', '', ''], old_stps: ['', '', '', ''] },
      {},
      ['body.state.0: remembers more steps than history_size 3'],
    ],
    [{ ...entries, ro: [1, 2, 'x'] }, {}, ['body.state.0.ro: must be a list of numbers, got [1, 2, "x"]']],
    [
      { d: 'd', n_iter: 1 },
      {},
      expect.arrayContaining(['body.state.0: old_dirs is missing', 'body.state.0: t is missing']),
    ],
    [entries, { 1: { d: 1 } }, ['body.state.1: LBFGS keeps its state at its first parameter']],
  ])('%j with %j is refused', (sent, others, messages) => expect(faults(sent, others)).toEqual(messages));
});

describe('a dotted name of a state tensor', () => {
  it('is optimizer.state, the parameter and the tensor', () => {
    expect(statePath('0.weight', 'exp_avg')).toBe('optimizer.state.0.weight.exp_avg');
  });

  it('is read back as what it was made of', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (parameter, text) => {
        const tensor = text.replaceAll('.', '_');
        expect(parseStatePath(statePath(parameter, tensor))).toEqual({ parameter, tensor });
      }),
    );
  });

  it.each([
    '',
    '0.weight',
    'optimizer.state.',
    'optimizer.state.step',
    'optimizer.state..step',
    'optimizer.state.0.',
  ])('is not %j', (path) => expect(parseStatePath(path)).toBeUndefined());
});

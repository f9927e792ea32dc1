// A state that is loaded: torch.nn.Module.load_state_dict, strict by default, everything wrong told at once.

import { ApiError, type Fault } from '../errors.js';
import { everyName, type Parameter } from '../nn/module.js';
import { inspectTensor } from '../tensor/json.js';
import { byteLength, sameShape, type Shape } from '../tensor/shape.js';
import { Complaints } from './complaints.js';
import { moduleAt, quoted, type Preparation } from './state.js';

export interface LoadRequest {
  readonly module: string;
  readonly strict: boolean;
  readonly state: ReadonlyMap<string, unknown>;
}

/** torch.nn.Module.load_state_dict: everything wrong is reported at once, in its words. */
export function load(request: LoadRequest): Preparation {
  return async (state, draft) => {
    const { module } = moduleAt(state, request.module);
    const own = new Map(everyName(module).map(({ path, value }) => [path, value]));
    const missing = [...own.keys()].filter((name) => !request.state.has(name));
    const unexpected = [...request.state.keys()].filter((name) => !own.has(name));
    const complaints = new Complaints();
    if (request.strict) complaints.add('STATE_DICT_MISMATCH', keyFaults(missing, unexpected));
    const given = [...request.state].filter(([name]) => own.has(name));
    for (const [name, value] of given) {
      const at = pathOf(name);
      const inspected = complaints.attempt(() => inspectTensor(value, at), { at });
      const { shape } = own.get(name)!;
      if (!inspected || sameShape(inspected.shape, shape)) continue;
      complaints.add('STATE_DICT_MISMATCH', [
        { path: at, message: sizeMismatch(name, inspected.shape, shape) },
      ]);
    }
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const staged = given.map(([name, value]) => {
      const parameter = own.get(name)!;
      const tensor = { shape: parameter.shape, dtype: parameter.dtype, path: pathOf(name) };
      return {
        name,
        parameter,
        placed: complaints.attempt(() => draft.stage(value, tensor), { at: tensor.path }),
      };
    });
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const touched = new Map<Parameter, null>();
    const first = new Map<Parameter, { name: string; address: number }>();
    const twice: { names: [string, string]; pair: { a: number; b: number; bytes: number } }[] = [];
    for (const { name, parameter, placed } of staged) {
      const { address } = placed!;
      const before = first.get(parameter);
      if (before) {
        const bytes = byteLength(parameter.shape, parameter.dtype);
        twice.push({ names: [before.name, name], pair: { a: before.address, b: address, bytes } });
        continue;
      }
      first.set(parameter, { name, address });
      draft.copy(address, draft.replace(parameter));
      touched.set(parameter, null);
    }
    const same = await draft.same(twice.map(({ pair }) => pair));
    const differing = twice.filter((_, i) => !same[i]);
    if (differing[0]) {
      const faults = differing.map(({ names: [a, b] }) => ({
        path: pathOf(b),
        message: `${quoted(a)} and ${quoted(b)} are one storage: their values must be the same`,
      }));
      throw new ApiError('TIED_VALUES_DIFFER', differing[0].names.map(quoted), faults);
    }
    return { kind: 'load', touched, answer: { missing_keys: missing, unexpected_keys: unexpected } };
  };
}

function pathOf(name: string): string {
  return `state_dict.${name}`;
}

function keyFaults(missing: readonly string[], unexpected: readonly string[]): Fault[] {
  return [
    ...unexpected.map((name) => ({ path: pathOf(name), message: `unexpected key ${quoted(name)}` })),
    ...missing.map((name) => ({ path: 'state_dict', message: `missing key ${quoted(name)}` })),
  ];
}

/** In the words of load_state_dict. */
function sizeMismatch(name: string, given: Shape, own: Shape): string {
  const size = (shape: Shape): string => `torch.Size([${shape.join(', ')}])`;
  return (
    `size mismatch for ${name}: copying a param with shape ${size(given)} from checkpoint, ` +
    `the shape in current model is ${size(own)}.`
  );
}

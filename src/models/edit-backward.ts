// Changes that a pass makes: gradients that a backward adds up, buffers and the generator that a forward in train mode
// moves on, gradients that are cleared.

import { ApiError } from '../errors.js';
import type { Mode } from '../nn/layer.js';
import { namedParameters, type Module, type Parameter } from '../nn/module.js';
import { wireNumber } from '../tensor/number-schema.js';
import { gradientOf, type Storage } from './companion.js';
import type { Goal, LossSpec, PassSpec } from './pass.js';
import { planned, type Given, type Passes } from './passes.js';
import { moduleAt, type ModelState, type Preparation } from './state.js';

export interface TrainForwardRequest {
  readonly module: string;
  readonly inputs: unknown;
}

export interface BackwardRequest extends TrainForwardRequest {
  readonly mode: Mode;
  readonly targets?: unknown;
  readonly loss?: LossSpec | undefined;
  readonly output_grad?: unknown;
  readonly input_grad: boolean;
}

/** net.train()(inputs): batch statistics, dropout; running statistics and the generator move on. */
export function trainForward(request: TrainForwardRequest, passes: Passes): Preparation {
  return async (state, draft) => {
    const { module, path } = moduleAt(state, request.module);
    const given = [{ value: request.inputs, path: 'inputs' }];
    const spec: PassSpec = {
      module,
      mode: 'train',
      inputs: given.map(planned),
      others: [],
      goal: null,
      parameters: [],
      accumulated: new Set(),
      inputGrad: false,
    };
    const pass = passes.find(keyOf(path, spec), spec);
    const { read, touched } = await passes.run(pass, state, draft, given);
    return {
      kind: 'forward',
      touched: wholly(touched),
      answer: { outputs: read(pass.slots.output) },
    };
  };
}

/** loss(net(inputs), targets).backward(), or net(inputs).backward(output_grad): gradients add to those that are there. */
export function backward(request: BackwardRequest, passes: Passes): Preparation {
  return async (state, draft) => {
    const { module, path } = moduleAt(state, request.module);
    const { goal, others } = goalOf(request);
    const given = [{ value: request.inputs, path: 'inputs' }, ...others];
    const parameters = trained(state, module);
    const spec: PassSpec = {
      module,
      mode: request.mode,
      inputs: given.slice(0, 1).map(planned),
      others: others.map(planned),
      goal,
      parameters,
      accumulated: new Set(parameters.filter((parameter) => state.tensors.find(gradientOf(parameter)))),
      inputGrad: request.input_grad,
    };
    const pass = passes.find(keyOf(path, spec), spec);
    const { read, touched } = await passes.run(pass, state, draft, given);
    const { loss, inputGrads } = pass.slots;
    const [inputGrad] = inputGrads;
    return {
      kind: 'backward',
      touched: wholly(touched),
      answer: {
        loss: loss === null ? null : wireNumber(Number(read(loss).data[0])),
        ...(request.input_grad && { input_grad: inputGrad === null ? null : read(inputGrad!) }),
      },
    };
  };
}

/** net.zero_grad(): gradients become null. */
export function zeroGrad({ module: at }: { readonly module: string }): Preparation {
  return (state) => {
    const { module } = moduleAt(state, at);
    const cleared = namedParameters(module)
      .map(({ value }) => gradientOf(value))
      .filter((gradient) => state.tensors.find(gradient));
    return { kind: 'zero_grad', touched: new Map(), cleared };
  };
}

export function goalOf({
  targets,
  loss,
  output_grad,
}: Pick<BackwardRequest, 'targets' | 'loss' | 'output_grad'>): {
  goal: Goal;
  others: Given[];
} {
  if (output_grad !== undefined) {
    const beside = [loss !== undefined && 'loss', targets !== undefined && 'targets'].filter(Boolean);
    if (beside.length > 0) {
      const faults = beside.map((name) => ({ path: String(name), message: 'stands beside output_grad' }));
      throw new ApiError('INVALID_REQUEST', [], faults);
    }
    return { goal: { outputGrad: true }, others: [{ value: output_grad, path: 'output_grad' }] };
  }
  const missing = [loss === undefined && 'loss', targets === undefined && 'targets'].filter(Boolean);
  if (missing.length > 0) {
    const message = 'is required: give loss and targets, or output_grad';
    throw new ApiError(
      'INVALID_REQUEST',
      [],
      missing.map((name) => ({ path: String(name), message })),
    );
  }
  return { goal: { loss: loss! }, others: [{ value: targets, path: 'targets' }] };
}

/** The parameters of a module that are to be trained. */
export function trained(state: ModelState, module: Module): Parameter[] {
  return namedParameters(module)
    .map(({ value }) => value)
    .filter((parameter) => parameter.kind === 'parameter' && state.tensors.get(parameter).requiresGrad);
}

const wholly = (storages: readonly Storage[]): ReadonlyMap<Storage, null> =>
  new Map(storages.map((storage) => [storage, null]));

const ids = new WeakMap<Parameter, number>();
let lastId = 0;
function idOf(parameter: Parameter): number {
  let id = ids.get(parameter);
  if (id === undefined) ids.set(parameter, (id = ++lastId));
  return id;
}

/** What a pass depends on, besides the structure, whose passes are dropped with it. */
function keyOf(path: string, spec: PassSpec): string {
  const { mode, inputs, others, goal, parameters, accumulated, inputGrad } = spec;
  const wanted = parameters.map((parameter) => [idOf(parameter), accumulated.has(parameter)]);
  return JSON.stringify([path, mode, inputs, others, goal, wanted, inputGrad]);
}

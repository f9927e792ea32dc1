// Changes that a pass makes: gradients that a backward adds up, buffers and the generator that a forward in train mode
// moves on, gradients that are cleared.

import { ApiError } from '../errors.js';
import type { Mode } from '../nn/layer.js';
import { namedParameters, type Module, type Parameter } from '../nn/module.js';
import { inputNames } from '../nn/signature.js';
import { wireNumber } from '../tensor/number-schema.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { tell, type Told } from './captured.js';
import { gradientOf, type Storage } from './companion.js';
import type { Draft } from './draft.js';
import type { NamedTensors } from './forward-answer.js';
import { givenTo, type Given } from './given.js';
import { insideOf, type InsideRequest } from './inside.js';
import { readLoss, targetsOf, type LossRequest } from './goal.js';
import type { Goal, PassSpec } from './pass.js';
import { planned, type Passes } from './passes.js';
import type { PlannedInput } from './plans.js';
import { moduleAt, type ModelState, type Preparation } from './state.js';

export interface PassRequest extends InsideRequest {
  readonly module: string;
  readonly inputs: unknown;
  readonly mode: Mode;
}

export interface BackwardRequest extends PassRequest {
  readonly targets?: unknown;
  readonly loss?: LossRequest | undefined;
  readonly output_grad?: unknown;
  readonly input_grad: boolean;
}

/** A forward by a pass: what it answers, and what is another afterwards (in train mode). */
export async function passForward(
  state: ModelState,
  draft: Draft,
  { passes, request }: { passes: Passes; request: PassRequest },
): Promise<{ touched: readonly Storage[]; answer: { outputs: TensorValue | NamedTensors } & Told }> {
  const { module, path } = moduleAt(state, request.module);
  const { spec: inside, values = [] } = insideOf(request) ?? {};
  const given = givenTo(module, request.inputs);
  const spec: PassSpec = {
    module,
    mode: request.mode,
    inputs: given.map(planned),
    others: [],
    goal: null,
    parameters: [],
    accumulated: new Set(),
    inputGrad: false,
    inside,
    values: values.map(plannedFloat),
  };
  const pass = passes.find(keyOf(path, spec), spec);
  const result = await passes.run(pass, state, draft, [...given, ...values]);
  const told = await tell(pass, result, request);
  const { output } = pass.slots;
  const named = pass.names?.map((name, i) => [name, result.read(output + i)] as const);
  const outputs = named ? Object.fromEntries(named) : result.read(output);
  return { touched: result.touched, answer: { outputs, ...told } };
}

/** net.train()(inputs): batch statistics, dropout; running statistics and the generator move on. */
export function trainForward(request: PassRequest, passes: Passes): Preparation {
  return async (state, draft) => {
    const { touched, answer } = await passForward(state, draft, { passes, request });
    return { kind: 'forward', touched: wholly(touched), answer: { ...answer } };
  };
}

/** loss(net(inputs), targets).backward(), or net(inputs).backward(output_grad): gradients add to those that are there. */
export function backward(request: BackwardRequest, passes: Passes): Preparation {
  return async (state, draft) => {
    const { module, path } = moduleAt(state, request.module);
    const { goal, others } = goalOf(request);
    const { spec: inside, values = [] } = insideOf(request) ?? {};
    const inputs = givenTo(module, request.inputs);
    const parameters = trained(state, module);
    const spec: PassSpec = {
      module,
      mode: request.mode,
      inputs: inputs.map(planned),
      others: others.map(planned),
      goal,
      parameters,
      accumulated: new Set(parameters.filter((parameter) => state.tensors.find(gradientOf(parameter)))),
      inputGrad: request.input_grad,
      inside,
      values: values.map(plannedFloat),
    };
    const pass = passes.find(keyOf(path, spec), spec);
    const result = await passes.run(pass, state, draft, [...inputs, ...others, ...values]);
    const told = await tell(pass, result, request);
    const { read, touched } = result;
    const { loss, inputGrads } = pass.slots;
    const grads = inputGrads.map((slot) => (slot === null ? null : read(slot)));
    const names = inputNames(module);
    const inputGrad =
      inputs.length > 1 ? Object.fromEntries(grads.map((grad, i) => [names![i]!, grad])) : grads[0];
    return {
      kind: 'backward',
      touched: wholly(touched),
      answer: {
        loss: loss === null ? null : wireNumber(Number(read(loss).data[0])),
        ...(request.input_grad && { input_grad: inputGrad }),
        ...told,
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
  others: readonly Given[];
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
  const checked = readLoss(loss!);
  return { goal: { loss: checked }, others: targetsOf(checked, targets) };
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

/** Values that interventions take are float32, whatever the client says. */
const plannedFloat = (given: Given): PlannedInput => ({ ...planned(given), dtype: 'float32' });

/** What a pass depends on, besides the structure, whose passes are dropped with it. */
function keyOf(path: string, spec: PassSpec): string {
  const { mode, inputs, others, goal, parameters, accumulated, inputGrad, inside, values } = spec;
  const wanted = parameters.map((parameter) => [idOf(parameter), accumulated.has(parameter)]);
  return JSON.stringify([path, mode, inputs, others, goal, wanted, inputGrad, inside, values]);
}

// A training request made ready to run: everything checked against the model, the data placed, the passes planned.

import { ApiError } from '../errors.js';
import type { Kernels } from '../graph/kernels.js';
import type { Mode } from '../nn/layer.js';
import type { Loss } from '../nn/losses/spec.js';
import { namedParameters, type Module, type Parameter } from '../nn/module.js';
import { parseScheduler } from '../nn/optim/schedulers.js';
import type { Checked } from '../nn/optim/settings.js';
import { groupParameters, parseOptimizer, type ParameterGroup } from '../nn/optim/spec.js';
import type { ElementwiseName, OptimizerName } from '../nn/optim/table.js';
import type { LbfgsState } from '../nn/optim/lbfgs.js';
import type { LbfgsSettings } from '../nn/optim/lbfgs-options.js';
import { lbfgsShapes, stateShapes } from '../nn/optim/state.js';
import type { Settings } from '../nn/optim/optimizer.js';
import type { GatherOrder } from '../runtime/gather.js';
import type { Clip } from '../runtime/training.js';
import { companion, type Companion, type Storage } from './companion.js';
import { numel } from '../tensor/shape.js';
import type { Workplace } from './draft.js';
import { givenTo, type Given } from './given.js';
import { readLoss, targetsOf, type LossRequest } from './goal.js';
import { makePass, type Pass, type PassSpec } from './pass.js';
import type { PlannedInput } from './plans.js';
import { moduleAt, type ModelState } from './state.js';
import { outlineOf, Placement, type Rows } from './training-data.js';
import { Schedule, type Pace, type Scheduled } from './training-schedule.js';

export interface TrainRequest {
  readonly module: string;
  readonly mode: Mode;
  readonly optimizer: unknown;
  readonly loss: LossRequest;
  readonly inputs: unknown;
  readonly targets: unknown;
  readonly epochs: number;
  readonly batch_size?: number | undefined;
  readonly shuffle: boolean;
  readonly drop_last: boolean;
  readonly seed?: number | undefined;
  /** With `pace`: after each epoch, or after each step. */
  readonly scheduler?: (Readonly<Record<string, unknown>> & { readonly pace?: Pace | undefined }) | undefined;
  readonly clip_grad_norm?: number | { readonly max_norm: number; readonly norm_type: number } | undefined;
  readonly clip_grad_value?: number | undefined;
  /** In steps; absent: an epoch. */
  readonly commit_every?: number | undefined;
  readonly validation?: { readonly inputs: unknown; readonly targets: unknown } | undefined;
  readonly early_stopping?: EarlyStopping | undefined;
  readonly resume: boolean;
}

export interface EarlyStopping {
  /** Epochs without an improvement. */
  readonly patience: number;
  readonly min_delta: number;
}

/** Batches of one size, one after another. */
export interface Batches {
  readonly pass: Pass;
  /** Where in the epoch's order the first of them begins. */
  readonly first: number;
  readonly rows: number;
  readonly count: number;
}

export interface TrainedParameter {
  readonly parameter: Parameter;
  readonly group: number;
  /** LBFGS's, of all parameters, are the first one's. */
  state: readonly Companion[];
}

export interface Data {
  /** What the passes' inputs are read of: the inputs, then the targets. */
  readonly sources: readonly Rows[];
  readonly rows: number;
  readonly batches: readonly Batches[];
}

export interface Setup {
  readonly epochs: number;
  readonly shuffle: boolean;
  readonly seed: number | undefined;
  readonly commitEvery: number;
  readonly training: Data;
  readonly validation: Data | null;
  readonly loss: Loss;
  readonly optimizer: {
    readonly name: OptimizerName;
    /** Of each parameter group, as the job began. */
    readonly groups: readonly ParameterGroup[];
    /** Its state goes on from the model's. */
    readonly resumed: boolean;
    readonly parameters: readonly TrainedParameter[];
    /** What LBFGS goes on from, besides its tensors. */
    readonly lbfgs: LbfgsState | null;
  };
  readonly schedule: Schedule;
  readonly clip: Clip | null;
  readonly earlyStopping: EarlyStopping | null;
  /** What the job has copies of. */
  readonly storages: readonly Storage[];
  /** Those of them that passes give new values. */
  readonly buffers: readonly Parameter[];
  /** What is yet to be done for the data to be there. */
  readonly gathers: readonly GatherOrder[];
  /** Lets go of the data. */
  release(): void;
}

export interface SetupMeans {
  readonly workplace: Workplace;
  readonly kernels: Kernels;
}

/** Throws ApiError with all that is wrong, ShapeError, TensorError, QuotaError; nothing is kept then. */
export function setUp(state: ModelState, request: TrainRequest, means: SetupMeans): Setup {
  const { module, path } = moduleAt(state, request.module);
  const names = trainedNames(state, module, path);
  const spec = unlessFaulty(parseOptimizer(request.optimizer, 'optimizer'));
  const groups = unlessFaulty(groupParameters(spec, [...names.keys()]));
  const { name } = spec;
  const scheduled = scheduleOf(request);
  const loss = readLoss(request.loss);
  if (loss.options.reduction === 'none') {
    const message = 'must be mean or sum: a step makes one number smaller';
    throw new ApiError('INVALID_REQUEST', [], [{ path: 'loss.reduction', message }]);
  }
  if (name === 'LBFGS') refuseForLbfgs(request);
  const examplesOf = ({ inputs, targets }: Pick<TrainRequest, 'inputs' | 'targets'>, at = ''): Examples => ({
    inputs: givenTo(module, inputs, `${at}inputs`),
    targets: targetsOf(loss, targets, `${at}targets`),
  });
  const { memory, segment } = means.workplace;
  const placement = new Placement(memory, segment!);
  try {
    const make = (given: Examples, mode: Mode, batch: Batching): Data =>
      dataOf(
        given,
        {
          ...means,
          module,
          mode,
          loss,
          parameters: mode === 'eval' ? [] : [...names.values()],
        },
        { ...batch, placement },
      );
    const training = make(examplesOf(request), request.mode, {
      size: request.batch_size,
      dropLast: request.drop_last,
      parameters: [...names.values()],
    });
    const { validation: other } = request;
    const validation = other
      ? make(examplesOf(other, 'validation.'), 'eval', {
          size: request.batch_size,
          dropLast: false,
          parameters: [],
        })
      : null;
    const first = training.batches[0]!.pass;
    // First: a cycle of momentum needs a state that no momentum would not.
    const schedule = new Schedule(
      groups.map(({ settings }) => settings),
      scheduled,
      () => stepsOf(training) * request.epochs,
    );
    const parameters: TrainedParameter[] = groups.flatMap(({ params, settings }, group) =>
      params.flatMap((param) => {
        const parameter = names.get(param)!;
        // What the loss does not depend on has no gradient, and is left alone, as PyTorch does.
        if (!first.slots.gradients.has(parameter)) return [];
        return [{ parameter, group, state: name === 'LBFGS' ? [] : stateOf(name, parameter, settings) }];
      }),
    );
    if (name === 'LBFGS')
      parameters[0]!.state = lbfgsStateOf(parameters, groups[0]!.settings as LbfgsSettings);
    if (request.resume) refuseToResume(state, name, parameters);
    const buffers = first.written as readonly Parameter[];
    return {
      epochs: request.epochs,
      shuffle: request.shuffle,
      seed: request.seed,
      commitEvery: request.commit_every ?? Infinity,
      training,
      validation,
      loss,
      optimizer: {
        ...{ name, groups, resumed: request.resume, parameters },
        lbfgs: request.resume ? (state.optimizer?.lbfgs ?? null) : null,
      },
      schedule,
      clip: clipOf(request),
      earlyStopping: request.early_stopping ?? null,
      storages: [...parameters.flatMap(({ parameter, state: own }) => [parameter, ...own]), ...buffers],
      buffers,
      gathers: placement.gathers,
      release: () => placement.release(),
    };
  } catch (error) {
    placement.release();
    throw error;
  }
}

function unlessFaulty<T>(checked: Checked<T>): T {
  if ('faults' in checked) throw new ApiError('INVALID_REQUEST', [], checked.faults);
  return checked.value;
}

/** Parameters with requires_grad by their paths in the model. */
function trainedNames(state: ModelState, module: Module, path: string): Map<string, Parameter> {
  const trained = namedParameters(module, path).filter(
    ({ value }) => value.kind === 'parameter' && state.tensors.get(value).requiresGrad,
  );
  if (trained.length === 0) throw new ApiError('NOT_DIFFERENTIABLE', ['no parameter here has requires_grad']);
  return new Map(trained.map(({ path: at, value }) => [at, value]));
}

function stateOf(name: ElementwiseName, parameter: Parameter, settings: Settings): Companion[] {
  const shapes = stateShapes(name, settings, parameter.shape);
  return [...shapes].map(([tensor, shape]) => companion(parameter, tensor, shape));
}

function lbfgsStateOf(parameters: readonly TrainedParameter[], settings: LbfgsSettings): Companion[] {
  const elements = parameters.reduce((sum, { parameter }) => sum + numel(parameter.shape), 0);
  const [first] = parameters;
  return Object.entries(lbfgsShapes(elements, settings)).map(([name, shape]) =>
    companion(first!.parameter, name, shape),
  );
}

export function stepsOf({ batches }: Data): number {
  return batches.reduce((sum, { count }) => sum + count, 0);
}

function scheduleOf({ scheduler }: TrainRequest): Scheduled | undefined {
  if (!scheduler) return undefined;
  const { pace, ...given } = scheduler;
  const spec = unlessFaulty(parseScheduler(given, 'scheduler'));
  return { spec, pace: pace ?? (spec.name === 'OneCycleLR' ? 'step' : 'epoch') };
}

/** LBFGS evaluates the loss several times a step: of all rows, or its steps would not be of one function. */
function refuseForLbfgs({ batch_size }: TrainRequest): void {
  if (batch_size === undefined) return;
  const message = 'LBFGS takes all rows in a step';
  throw new ApiError('INVALID_REQUEST', [], [{ path: 'batch_size', message }]);
}

function refuseToResume(
  { optimizer, tensors }: ModelState,
  name: OptimizerName,
  parameters: readonly TrainedParameter[],
): void {
  const wrong =
    optimizer?.name !== name
      ? `the model has ${optimizer ? `the state of ${optimizer.name}` : 'no optimizer'}`
      : parameters.every(({ state }) => state.every((tensor) => tensors.find(tensor)))
        ? undefined
        : 'the model has not the state of all of these parameters';
  if (wrong !== undefined) throw new ApiError('INVALID_REQUEST', [], [{ path: 'resume', message: wrong }]);
}

function clipOf({ clip_grad_norm: norm, clip_grad_value: value }: TrainRequest): Clip | null {
  if (norm === undefined && value === undefined) return null;
  const { max_norm: maxNorm, norm_type: normType } =
    typeof norm === 'object' ? norm : { max_norm: norm ?? 0, norm_type: 2 };
  return { norm: norm === undefined ? null : { maxNorm, normType }, value: value ?? null };
}

/** What each of a batch's rows has one row of. */
interface Examples {
  readonly inputs: readonly Given[];
  readonly targets: readonly Given[];
}

interface PassMeans extends SetupMeans {
  readonly module: Module;
  readonly mode: Mode;
  readonly loss: Loss;
  readonly parameters: readonly Parameter[];
}

interface Batching {
  readonly size: number | undefined;
  readonly dropLast: boolean;
  readonly parameters: readonly Parameter[];
}

/** Places the rows, and plans the passes for full batches and for what is left over. */
function dataOf(
  { inputs, targets }: Examples,
  means: PassMeans,
  batching: Batching & { placement: Placement },
): Data {
  const given = [...inputs, ...targets];
  const outlines = given.map(outlineOf);
  const rows = outlines[0]!.shape[0] ?? 0;
  outlines.forEach(({ shape }, i) => {
    if (shape.length > 0 && shape[0] === rows && rows > 0) return;
    const message = `must have rows, as many as the inputs (${rows})`;
    throw new ApiError('INVALID_REQUEST', [], [{ path: given[i]!.path, message }]);
  });
  const size = Math.min(batching.size ?? rows, rows);
  const count = Math.floor(rows / size);
  const left = batching.dropLast ? 0 : rows - count * size;
  const pass = (n: number): Pass => passFor(outlines, { rows: n, inputs: inputs.length }, means);
  const batches: Batches[] = [{ pass: pass(size), first: 0, rows: size, count }];
  if (left > 0) batches.push({ pass: pass(left), first: count * size, rows: left, count: 1 });
  const { plan } = batches[0]!.pass;
  const sources = given.map((tensor, i) =>
    batching.placement.place(tensor, { shape: outlines[i]!.shape, dtype: plan.inputs[i]!.dtype }),
  );
  return { sources, rows, batches };
}

function passFor(
  outlines: readonly PlannedInput[],
  { rows, inputs }: { rows: number; inputs: number },
  means: PassMeans,
): Pass {
  const given = outlines.map((outline) => ({ ...outline, shape: [rows, ...outline.shape.slice(1)] }));
  const spec: PassSpec = {
    module: means.module,
    mode: means.mode,
    inputs: given.slice(0, inputs),
    others: given.slice(inputs),
    goal: { loss: means.loss },
    parameters: means.parameters,
    accumulated: new Set(),
    inputGrad: false,
    training: true,
  };
  return makePass(spec, means.kernels);
}

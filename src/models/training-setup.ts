// A training request made ready to run: everything checked against the model, the data placed, the passes planned.

import { ApiError } from '../errors.js';
import type { Kernels } from '../graph/kernels.js';
import type { Mode } from '../nn/layer.js';
import { namedParameters, type Module, type Parameter } from '../nn/module.js';
import { groupParameters, parseOptimizer, type Checked } from '../nn/optim/spec.js';
import { ELEMENTWISE, isElementwise, type ElementwiseName } from '../nn/optim/table.js';
import type { Settings } from '../nn/optim/optimizer.js';
import type { Clip } from '../runtime/training.js';
import { companion, type Companion, type Storage } from './companion.js';
import type { Workplace } from './draft.js';
import { makePass, type LossSpec, type Pass, type PassSpec } from './pass.js';
import { planned, type Given } from './passes.js';
import type { PlannedInput } from './plans.js';
import { moduleAt, type ModelState } from './state.js';
import { placeRows, type Rows } from './training-data.js';
import { Schedule } from './training-schedule.js';

export interface TrainRequest {
  readonly module: string;
  readonly mode: Mode;
  readonly optimizer: unknown;
  readonly loss: LossSpec;
  readonly inputs: unknown;
  readonly targets: unknown;
  readonly epochs: number;
  readonly batch_size?: number | undefined;
  readonly shuffle: boolean;
  readonly drop_last: boolean;
  readonly seed?: number | undefined;
  readonly scheduler?: unknown;
  readonly clip_grad_norm?: number | undefined;
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
  readonly state: readonly Companion[];
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
  readonly loss: LossSpec;
  readonly optimizer: {
    readonly name: ElementwiseName;
    /** Its state goes on from the model's. */
    readonly resumed: boolean;
    readonly parameters: readonly TrainedParameter[];
  };
  readonly schedule: Schedule;
  readonly clip: Clip | null;
  readonly earlyStopping: EarlyStopping | null;
  /** What the job has copies of. */
  readonly storages: readonly Storage[];
  /** Those of them that passes give new values. */
  readonly buffers: readonly Parameter[];
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
  if (!isElementwise(name))
    throw new ApiError('INVALID_REQUEST', [], [{ path: 'optimizer.name', message: 'LBFGS is not here yet' }]);
  const held: Rows[] = [];
  const release = (): void => {
    for (const { region } of held.splice(0)) means.workplace.memory.release(region);
  };
  try {
    const make = (given: readonly [Given, Given], mode: Mode, batch: Batching): Data =>
      dataOf(
        given,
        {
          ...means,
          module,
          mode,
          loss: request.loss,
          parameters: mode === 'eval' ? [] : [...names.values()],
        },
        { ...batch, held },
      );
    const training = make(
      [
        { value: request.inputs, path: 'inputs' },
        { value: request.targets, path: 'targets' },
      ],
      request.mode,
      { size: request.batch_size, dropLast: request.drop_last, parameters: [...names.values()] },
    );
    const { validation: other } = request;
    const validation = other
      ? make(
          [
            { value: other.inputs, path: 'validation.inputs' },
            { value: other.targets, path: 'validation.targets' },
          ],
          'eval',
          { size: request.batch_size, dropLast: false, parameters: [] },
        )
      : null;
    const first = training.batches[0]!.pass;
    const parameters = groups.flatMap(({ params, settings }, group) =>
      params.flatMap((param) => {
        const parameter = names.get(param)!;
        // What the loss does not depend on has no gradient, and is left alone, as PyTorch does.
        if (!first.slots.gradients.has(parameter)) return [];
        return [{ parameter, group, state: stateOf(name, parameter, settings) }];
      }),
    );
    const buffers = first.written as readonly Parameter[];
    return {
      epochs: request.epochs,
      shuffle: request.shuffle,
      seed: request.seed,
      commitEvery: request.commit_every ?? Infinity,
      training,
      validation,
      loss: request.loss,
      optimizer: { name, resumed: request.resume, parameters },
      schedule: new Schedule(
        groups.map(({ settings }) => settings),
        request.scheduler,
      ),
      clip: clipOf(request),
      earlyStopping: request.early_stopping ?? null,
      storages: [...parameters.flatMap(({ parameter, state: own }) => [parameter, ...own]), ...buffers],
      buffers,
      release,
    };
  } catch (error) {
    release();
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
  return ELEMENTWISE[name]
    .state(settings)
    .map((tensor) => companion(parameter, tensor.name, tensor.shape === 'scalar' ? [] : parameter.shape));
}

function clipOf({ clip_grad_norm: norm, clip_grad_value: value }: TrainRequest): Clip | null {
  if (norm === undefined && value === undefined) return null;
  return { norm: norm ?? null, normType: 2, value: value ?? null };
}

interface PassMeans extends SetupMeans {
  readonly module: Module;
  readonly mode: Mode;
  readonly loss: LossSpec;
  readonly parameters: readonly Parameter[];
}

interface Batching {
  readonly size: number | undefined;
  readonly dropLast: boolean;
  readonly parameters: readonly Parameter[];
}

/** Places the rows, and plans the passes for full batches and for what is left over. */
function dataOf(given: readonly Given[], means: PassMeans, batching: Batching & { held: Rows[] }): Data {
  const outlines = given.map(planned);
  const rows = outlines[0]!.shape[0] ?? 0;
  outlines.forEach(({ shape }, i) => {
    if (shape.length > 0 && shape[0] === rows && rows > 0) return;
    const message = `must have rows, as many as the inputs (${rows})`;
    throw new ApiError('INVALID_REQUEST', [], [{ path: given[i]!.path, message }]);
  });
  const size = Math.min(batching.size ?? rows, rows);
  const count = Math.floor(rows / size);
  const left = batching.dropLast ? 0 : rows - count * size;
  const batches: Batches[] = [{ pass: passFor(outlines, size, means), first: 0, rows: size, count }];
  if (left > 0)
    batches.push({ pass: passFor(outlines, left, means), first: count * size, rows: left, count: 1 });
  const { memory, segment } = means.workplace;
  const { plan } = batches[0]!.pass;
  const sources = given.map((tensor, i) => {
    const { shape } = outlines[i]!;
    const placed = placeRows(memory, segment!, tensor, { shape, dtype: plan.inputs[i]!.dtype });
    batching.held.push(placed);
    return placed;
  });
  return { sources, rows, batches };
}

function passFor(outlines: readonly PlannedInput[], rows: number, means: PassMeans): Pass {
  const inputs = outlines.map((outline) => ({ ...outline, shape: [rows, ...outline.shape.slice(1)] }));
  const spec: PassSpec = {
    module: means.module,
    mode: means.mode,
    inputs: inputs.slice(0, 1),
    others: inputs.slice(1),
    goal: { loss: means.loss },
    parameters: means.parameters,
    accumulated: new Set(),
    inputGrad: false,
    training: true,
  };
  return makePass(spec, means.kernels);
}

// A live model: one structure, one set of numbers, one revision. Every change goes through `change`, which makes it
// visible all at once and appends it to the log; every forward runs on one revision.

import { ApiError } from '../errors.js';
import { describeArchitecture } from '../nn/architecture-text.js';
import type { Kernels } from '../graph/kernels.js';
import type { Module, Parameter } from '../nn/module.js';
import { requireMatch, type Conditions } from '../precondition.js';
import type { Region } from '../runtime/memory.js';
import { AlertLog } from './alert-log.js';
import { ChangeLog } from './change-log.js';
import { loadOptimizer, optimizerState, type OptimizerRequest } from './edit-optimizer.js';
import { Draft, type Workplace } from './draft.js';
import { init, type InitRequest } from './edit-init.js';
import { load } from './edit-load.js';
import {
  backward,
  passForward,
  trainForward,
  zeroGrad,
  type BackwardRequest,
  type PassRequest,
} from './edit-backward.js';
import { NAMINGS, patch, type ClientPatchOp, type Field, type ParameterEdit } from './edit-patch.js';
import { materialize } from './edit-materialize.js';
import { putModule, removeModule, tie, untie } from './edit-structure.js';
import type { TreeLimits } from '../nn/architecture.js';
import { explained } from './failures.js';
import type { ForwardRequest } from './forward.js';
import { Forwards, type Outputs, type Identity } from './forwards.js';
import { inspect, type Told, type Wanted } from './inspect.js';
import { describedTo, givenTo, type Described } from './given.js';
import { ReadWriteLock } from './lock.js';
import { Job, type Jobs } from './jobs.js';
import { checkGradients, type GradientCheckRequest } from './gradient-check.js';
import { Panels } from './panels.js';
import type { Page, Where } from './selector.js';
import { Passes } from './passes.js';
import { Plans } from './plans.js';
import { Line } from './queue.js';
import * as read from './read.js';
import type { Scheduler } from './scheduler.js';
import { RegionSnapshot } from './snapshot.js';
import type { ModelState, OptimizerState, Outcome, Preparation } from './state.js';
import { Structure } from './structure.js';
import { Tensors } from './tensors.js';
import type { Terms } from './terms.js';
import { outlineOf } from './training-data.js';
import { Training } from './training.js';
import { setUp, type TrainRequest } from './training-setup.js';
import { Watchpoints, type WatchpointRequest } from './watchpoints.js';

export type Body = Record<string, unknown>;

/** Of one parameter, where nothing else is said. */
const EVERYTHING: Wanted = { value: true, grad: true, stats: true };

export interface ModelOptions {
  readonly name: string;
  readonly epoch: string;
  readonly seed: number;
  /** As the client gave it, as JSON. */
  readonly architecture: unknown;
  readonly workplace: Workplace;
  readonly scheduler: Scheduler;
  readonly kernels: Kernels;
  readonly jobs: Jobs;
  readonly limits: TreeLimits;
  readonly log: { readonly entries: number; readonly bytes: number };
  readonly maxWatchpoints: number;
}

export class Model implements ModelState {
  readonly name: string;
  readonly epoch: string;
  readonly seed: number;
  readonly limits: TreeLimits;
  readonly log: ChangeLog;
  readonly alerts = new AlertLog();
  readonly watchpoints: Watchpoints;
  readonly tensors: Tensors;
  structure = new Structure({ type: 'Sequential', options: {}, parameters: new Map(), children: new Map() });
  architecture: unknown;
  optimizer: OptimizerState | undefined;
  revision = 0;
  readonly workplace: Workplace;
  readonly plans: Plans;
  readonly panels: Panels;
  private readonly passes: Passes;
  private readonly kernels: Kernels;
  private readonly jobs: Jobs;
  private training: Training | undefined;
  private job: Job | undefined;
  private readonly lock = new ReadWriteLock();
  private readonly scheduler: Scheduler;
  /** Who waits for it. */
  readonly line: Line;
  private readonly forwards: Forwards;
  private generator: Region | undefined;
  private closed = false;

  constructor(options: ModelOptions) {
    this.name = options.name;
    this.epoch = options.epoch;
    this.seed = options.seed;
    this.architecture = options.architecture;
    this.limits = options.limits;
    this.workplace = options.workplace;
    this.log = new ChangeLog(options.log);
    this.tensors = new Tensors(options.workplace.memory);
    this.plans = new Plans(options.workplace.pool, options.kernels);
    this.panels = new Panels(options.workplace, this.tensors);
    this.passes = new Passes({ workplace: this.workplace, panels: this.panels, kernels: options.kernels });
    this.kernels = options.kernels;
    this.jobs = options.jobs;
    this.scheduler = options.scheduler;
    this.watchpoints = new Watchpoints(this, options.maxWatchpoints);
    this.line = new Line(`model ${this.name}`);
    const { lock, line, scheduler, plans, panels, workplace } = this;
    this.forwards = new Forwards({ model: this, lock, line, scheduler, plans, panels, workplace });
  }

  /** What it takes of memory, its log aside: parameters and buffers, what they have beside their values, panels. */
  get bytes(): number {
    return read.summary(this).bytes + this.panels.bytes + this.tensors.companionBytes;
  }

  summary(): Body {
    return { ...this.identity(), seed: this.seed, architecture: this.architecture, ...read.summary(this) };
  }

  /** The print text and what its answer's headers need. */
  repr(): Body & { repr: string } {
    return { ...this.identity(), repr: read.repr(this) };
  }

  modules({
    prefix = '',
    ...query
  }: { prefix?: string } & Omit<Where, 'requires_grad'> & Partial<Page>): Body {
    return { ...this.identity(), ...read.modules(this, prefix, query) };
  }

  module(path: string): Body {
    return { ...this.identity(), ...read.module(this, path) };
  }

  /** With of their numbers what is wanted. */
  async parameters({ wanted = {}, ...query }: read.ParametersQuery & { wanted?: Wanted }): Promise<Body> {
    return explained(async () => {
      const identity = this.identity();
      const { listed, next_cursor } = read.parameters(this, query);
      const present = listed.flatMap(({ parameter }) => parameter ?? []);
      const told = new Map((await this.inspect(present, wanted)).map((one, i) => [present[i], one]));
      const parameters = listed.map(({ parameter, described }) => ({
        ...described,
        ...(parameter ? told.get(parameter) : nothing(wanted)),
      }));
      return { ...identity, parameters, next_cursor };
    });
  }

  /** The composite object: what is known of a parameter, and of its numbers, or those at an index, what is wanted. */
  async parameter(
    path: string,
    { index, wanted = EVERYTHING }: { index?: string | undefined; wanted?: Wanted | undefined },
  ): Promise<Body> {
    return explained(async () => {
      const identity = this.identity();
      const { parameter, described } = read.parameter(this, path);
      if (!parameter) return { ...identity, ...described, ...nothing(wanted) };
      const [told] = await this.inspect([parameter], wanted, index);
      return { ...identity, ...described, ...told };
    });
  }

  async stateDict(query: { module: string }): Promise<Body> {
    return explained(() => ({ ...this.identity(), state_dict: read.stateDict(this, query.module) }));
  }

  /** Of what trained it last. */
  async optimizerState(): Promise<Body> {
    return explained(() => ({ ...this.identity(), ...optimizerState(this) }));
  }

  loadOptimizer(request: OptimizerRequest, terms?: Terms): Promise<Body> {
    return this.change(loadOptimizer(request), terms);
  }

  changes(query: { after: number; limit: number }): Body {
    return { ...this.identity(), ...read.changes(this.log, query) };
  }

  /** Watches from now on; nothing of the model changes. */
  async addWatchpoint(request: WatchpointRequest, { ifMatch, dryRun }: Conditions = {}): Promise<Body> {
    return explained(async () => {
      requireMatch(ifMatch, this);
      const watchpoint = await this.watchpoints.add(request, dryRun);
      this.assertAlive();
      return { ...this.identity(), ...watchpoint.describe() };
    });
  }

  /** As it is once all changes of now have been looked at. */
  async watchpoint(id: string): Promise<Body> {
    const watchpoint = this.watchpoints.get(id);
    await watchpoint.upToDate();
    return { ...this.identity(), ...watchpoint.describe() };
  }

  async listWatchpoints(): Promise<Body> {
    await Promise.all(this.watchpoints.list().map((watchpoint) => watchpoint.upToDate()));
    const watchpoints = this.watchpoints.list().map((watchpoint) => watchpoint.describe());
    return { ...this.identity(), watchpoints };
  }

  removeWatchpoint(id: string, { ifMatch, dryRun }: Conditions = {}): void {
    requireMatch(ifMatch, this);
    if (dryRun) this.watchpoints.get(id);
    else this.watchpoints.remove(id);
  }

  /** The whole value, or a slice, broadcast as `tensor[index] = value` does. */
  setParameter(
    path: string,
    request: { value: unknown; index?: string | undefined; field?: Field | undefined },
    terms?: Terms,
  ): Promise<Body> {
    const op: ClientPatchOp = { op: 'set', ...request };
    return this.change(patch(new Map([[path, { ops: [op] }]]), NAMINGS.value), terms);
  }

  /** All the edits or none, one revision. */
  patch(
    edits: ReadonlyMap<string, ParameterEdit>,
    { expectCount, ...terms }: Terms & { readonly expectCount?: number | undefined } = {},
  ): Promise<Body> {
    return this.change(patch(edits, NAMINGS.edits, expectCount), terms);
  }

  patchParameter(path: string, edit: ParameterEdit, terms?: Terms): Promise<Body> {
    return this.change(patch(new Map([[path, edit]]), NAMINGS.edit), terms);
  }

  init(request: InitRequest, terms?: Terms): Promise<Body> {
    return this.change(init(request), terms);
  }

  tie(paths: readonly string[], terms?: Terms): Promise<Body> {
    return this.change(tie(paths), terms);
  }

  untie(paths: readonly string[], terms?: Terms): Promise<Body> {
    return this.change(untie(paths), terms);
  }

  putModule(path: string, architecture: unknown, terms?: Terms): Promise<Body> {
    return this.change(putModule(path, architecture), terms);
  }

  /** Gives lazy modules the shapes that a forward of such inputs gives them, without running it. */
  materialize({ module: at, given }: { module: string; given: Described }, terms?: Terms): Promise<Body> {
    return this.change(materialize({ module: at, inputs: (module) => describedTo(module, given) }), terms);
  }

  /**
   * Before anything that needs all shapes, as the first forward of these inputs does it: a change of its own. Answers on
   * which terms the rest waits.
   */
  async materializeFor(
    { module: at, inputs }: Pick<ForwardRequest, 'module' | 'inputs'>,
    terms?: Terms,
  ): Promise<Terms | undefined> {
    if (terms?.dryRun) return terms;
    const described = (module: Module) => givenTo(module, inputs).map(outlineOf);
    await this.change(materialize({ module: at, inputs: described }), { ifMatch: terms?.ifMatch });
    return terms && { ...terms, ifMatch: undefined };
  }

  removeModule(path: string, terms?: Terms): Promise<Body> {
    return this.change(removeModule(path), terms);
  }

  loadStateDict(request: { module: string; strict: boolean; state: unknown }, terms?: Terms): Promise<Body> {
    const { state } = request;
    if (typeof state !== 'object' || state === null || Array.isArray(state)) {
      throw new ApiError(
        'INVALID_REQUEST',
        [],
        [{ path: 'state_dict', message: 'must be an object of tensors by name' }],
      );
    }
    return this.change(load({ ...request, state: new Map(Object.entries(state)) }), terms);
  }

  /** Runs a module on one revision: the plan, the parameters and the number it reports belong together. */
  forward(request: ForwardRequest, terms: Terms = {}): Promise<Outputs> {
    return request.inside ? this.forwardInside(request, terms) : this.forwards.run(request, terms);
  }

  /** The same, where the inside of it is looked at, or is another: alone, and with a plan of its own. */
  private async forwardInside({ inside, ...request }: ForwardRequest, terms: Terms): Promise<Outputs> {
    if (this.structure.lazy) await this.materializeFor(request);
    const { passes } = this;
    const asked = { ...request, ...inside, mode: 'eval' } as const;
    return this.examine(async (draft) => {
      const identity = this.identity();
      const { answer } = await passForward(this, draft, { passes, request: asked });
      return { ...identity, ...answer };
    }, terms);
  }

  /** A forward in train mode, which is a change: running statistics and the generator move on. */
  async trainForward(request: PassRequest, terms?: Terms): Promise<Body> {
    const rest = this.structure.lazy ? await this.materializeFor(request, terms) : terms;
    return this.change(trainForward(request, this.passes), rest);
  }

  async backward(request: BackwardRequest, terms?: Terms): Promise<Body> {
    const rest = this.structure.lazy ? await this.materializeFor(request, terms) : terms;
    return this.change(backward(request, this.passes), rest);
  }

  zeroGrad(request: { readonly module: string }, terms?: Terms): Promise<Body> {
    return this.change(zeroGrad(request), terms);
  }

  /**
   * The one way to change a model. The preparation sees a state that nobody else is changing. A change that waits is
   * given up at its deadline; one that has begun is made.
   */
  async change(prepare: Preparation, { timeoutMs, ifMatch, dryRun }: Terms = {}): Promise<Body> {
    let expire!: (error: ApiError) => void;
    const expired = new Promise<never>((_resolve, reject) => (expire = reject));
    const task = this.scheduler.queue.enter(this.line, { timeoutMs }, expire);
    const make = (): Promise<Body> =>
      this.lock.exclusive(async () => {
        if (!task.start()) return expired;
        task.waive();
        try {
          requireMatch(ifMatch, this);
          const body = await this.make(prepare, dryRun);
          task.end('done');
          return body;
        } catch (error) {
          task.end('failed');
          throw error;
        }
      });
    const made = this.training ? this.training.atCommit(make) : make();
    return explained(() => Promise.race([made, expired]));
  }

  /** Gradients beside central differences. Nothing changes; forwards go on meanwhile. */
  async checkGradients(request: GradientCheckRequest, terms?: Terms): Promise<Body> {
    if (this.structure.lazy) await this.materializeFor(request);
    return this.examine(async (draft) => {
      const { workplace, panels, kernels } = this;
      return {
        ...this.identity(),
        ...(await checkGradients(this, request, { workplace, panels, kernels, draft })),
      };
    }, terms);
  }

  /** Work that only reads, on one revision: changes wait until it is done. The draft's memory is for scratch. */
  private async examine<B extends Body>(work: (draft: Draft) => Promise<B>, terms: Terms = {}): Promise<B> {
    const { queue, turns } = this.scheduler;
    let expire!: (error: ApiError) => void;
    const expired = new Promise<never>((_resolve, reject) => (expire = reject));
    const task = queue.enter(this.line, terms, expire);
    const made = async (): Promise<B> => {
      // It may run already: what lacked memory is tried again.
      if (!task.running && !task.start()) return expired;
      task.waive();
      this.assertAlive();
      const draft = new Draft(this.workplace, this.tensors, this.generator);
      try {
        return await work(draft);
      } finally {
        draft.discard();
      }
    };
    const inTurn = async (): Promise<B> => {
      await new Promise<void>((shared) => this.lock.share(shared));
      try {
        const body = await turns.take(made);
        task.end('done');
        return body;
      } catch (error) {
        task.end('failed');
        throw error;
      } finally {
        this.lock.unshare();
      }
    };
    return explained(() => Promise.race([inTurn(), expired]));
  }

  /**
   * Starts a job that trains it: answered when it has begun. Changes from then on wait for its commits.
   * Throws JOB_RUNNING where there is one.
   */
  async train(request: TrainRequest, terms?: Terms): Promise<Job> {
    const refuseSecond = (): void => {
      if (this.job?.running) throw new ApiError('JOB_RUNNING', [this.job.id]);
    };
    refuseSecond();
    const rest = this.structure.lazy ? await this.materializeFor(request, terms) : terms;
    let job: Job | undefined;
    await this.change(async () => {
      refuseSecond();
      const setup = setUp(this, request, { workplace: this.workplace, kernels: this.kernels });
      const training = new Training(this, setup);
      await training.begin();
      const identity = { model: this.name, epoch: this.epoch };
      if (rest?.dryRun) {
        training.discard();
        job = new Job(identity, training);
        return undefined;
      }
      this.training = training;
      const ended = async (): Promise<void> => {
        this.training = undefined;
        await training.serveWaiting();
      };
      job = this.jobs.add(identity, training, ended);
      this.job = job;
      return undefined;
    }, rest);
    return job!;
  }

  /** Where the generator stands. */
  get generatorRegion(): Region {
    return this.generator!;
  }

  /** Makes what a job has trained visible, between forwards. */
  async adopt(outcome: Outcome, draft: Draft): Promise<number> {
    return this.lock.exclusive(() => {
      this.assertAlive();
      this.commit(outcome, draft);
      return this.revision;
    });
  }

  /** Waits for what runs; throws REVISION_MISMATCH where it is not what the client knows. Changes nothing. */
  matched({ ifMatch }: Conditions): Promise<void> {
    return this.lock.exclusive(() => requireMatch(ifMatch, this));
  }

  /**
   * Waits for what runs, then lets go of everything but the log: who reads it may be behind. Does nothing, and throws
   * REVISION_MISMATCH, where it is not what the client knows.
   */
  async close({ ifMatch }: Conditions = {}): Promise<void> {
    requireMatch(ifMatch, this);
    this.training?.cancel();
    return this.lock.exclusive(() => {
      requireMatch(ifMatch, this);
      this.closed = true;
      this.watchpoints.close();
      this.plans.clear();
      this.passes.clear();
      this.panels.clear();
      this.tensors.keepOnly(new Map());
      if (this.generator) this.workplace.memory.release(this.generator);
      this.generator = undefined;
    });
  }

  private inspect(parameters: readonly Parameter[], wanted: Wanted, index?: string): Promise<Told[]> {
    const { surveys } = this.workplace;
    return inspect({ tensors: this.tensors, surveys }, parameters, wanted, index);
  }

  private async make(prepare: Preparation, dryRun = false): Promise<Body> {
    this.assertAlive();
    const draft = new Draft(this.workplace, this.tensors, this.generator);
    let outcome: Outcome | undefined;
    try {
      outcome = await prepare(this, draft);
      await draft.run();
    } catch (error) {
      draft.discard();
      throw error;
    }
    draft.finish();
    const changed = outcome !== undefined && changes(outcome, draft);
    if (outcome && changed && !dryRun) this.commit(outcome, draft);
    else draft.discard();
    return this.answer(outcome, changed && dryRun);
  }

  /** From here to the end nothing waits: readers see all of the change or nothing. */
  private commit(outcome: Outcome, draft: Draft): void {
    const { requiresGrad, root, kind } = outcome;
    const revision = this.revision + 1;
    for (const [storage, region] of draft.regions) {
      const trained = storage.kind !== 'companion' && this.gradOf(storage, requiresGrad);
      this.tensors.set(storage, { region, lastChanged: revision, requiresGrad: trained });
    }
    for (const storage of outcome.cleared ?? []) this.tensors.drop(storage);
    if (outcome.optimizer) this.optimizer = outcome.optimizer;
    for (const [parameter, value] of requiresGrad ?? []) {
      this.tensors.set(parameter, { ...this.tensors.get(parameter), requiresGrad: value });
    }
    if (draft.generator) {
      if (this.generator) this.workplace.memory.release(this.generator);
      this.generator = draft.generator;
    }
    if (root) {
      this.structure = new Structure(root);
      this.tensors.keepOnly(this.structure.namesOf);
      this.plans.clear();
      this.passes.clear();
      if (kind !== 'build') this.architecture = describeArchitecture(root);
    }
    this.panels.prune();
    this.revision = revision;
    this.append(outcome);
  }

  private append({ kind, module, touched, cleared = [], requiresGrad }: Outcome): void {
    const frozen = [...(requiresGrad?.keys() ?? [])].filter((parameter) => !touched.has(parameter));
    const told = [...touched, ...[...frozen, ...cleared].map((storage) => [storage, null] as const)];
    const parameters = told.map(([storage, index]) => {
      const { shape, dtype } = storage;
      const region = this.tensors.find(storage)?.region;
      const snapshot = region ? new RegionSnapshot(this.workplace, { region, shape, dtype }) : null;
      return { ...this.structure.identify(storage), index, shape, dtype, snapshot };
    });
    this.log.append({ revision: this.revision, kind, time: new Date().toISOString(), module, parameters });
  }

  private gradOf(parameter: Parameter, changed: ReadonlyMap<Parameter, boolean> | undefined): boolean {
    return (
      changed?.get(parameter) ?? this.tensors.find(parameter)?.requiresGrad ?? parameter.kind === 'parameter'
    );
  }

  /** `asIf`: it was not made, and is told as if it had been. */
  private answer(outcome: Outcome | undefined, asIf = false): Body {
    const { touched, cleared = [], requiresGrad } = outcome ?? {};
    const told = new Set([...(touched?.keys() ?? []), ...cleared, ...(requiresGrad?.keys() ?? [])]);
    const structure = asIf && outcome?.root ? new Structure(outcome.root) : this.structure;
    const parameters = [...told].map((storage) => structure.identify(storage));
    const identity = this.identity();
    const revision = identity.revision + Number(asIf);
    return { ...identity, revision, parameters, ...outcome?.answer };
  }

  identity(): Identity {
    return { name: this.name, epoch: this.epoch, revision: this.revision };
  }

  assertAlive(): void {
    if (this.closed) throw new ApiError('MODEL_NOT_FOUND', [this.name]);
  }
}

/** What is told of a parameter without values. */
function nothing({ value, grad }: Wanted): Body {
  return { ...(value && { value: null }), ...(grad && { grad: null }) };
}

/** Whether anything would be another: a value, the tree, what is trained and how, or where the generator stands. */
function changes(
  { touched, cleared, requiresGrad, root, optimizer }: Outcome,
  { generator }: Draft,
): boolean {
  const told = touched.size + (cleared?.length ?? 0) + (requiresGrad?.size ?? 0);
  return told > 0 || root !== undefined || optimizer !== undefined || generator !== undefined;
}

// A live model: one structure, one set of numbers, one revision. Every change goes through `change`, which makes it
// visible all at once and appends it to the log; every forward runs on one revision.

import { ApiError } from '../errors.js';
import { describeArchitecture } from '../nn/architecture-text.js';
import type { Kernels } from '../graph/kernels.js';
import type { Parameter } from '../nn/module.js';
import type { Region } from '../runtime/memory.js';
import { ChangeLog } from './change-log.js';
import { Draft, type Workplace } from './draft.js';
import { init, type InitRequest } from './edit-init.js';
import { load } from './edit-load.js';
import { materialize } from './edit-materialize.js';
import { NAMINGS, patch, type ClientPatchOp, type ParameterEdit } from './edit-patch.js';
import { putModule, removeModule, tie, untie } from './edit-structure.js';
import type { TreeLimits } from '../nn/architecture.js';
import { explained } from './failures.js';
import { planned, type ForwardRequest } from './forward.js';
import { Forwards, type Outputs, type Identity } from './forwards.js';
import { describedTo, givenTo, type Described } from './given.js';
import { ReadWriteLock } from './lock.js';
import { Panels } from './panels.js';
import { Plans } from './plans.js';
import { Line } from './queue.js';
import * as read from './read.js';
import type { Scheduler } from './scheduler.js';
import { RegionSnapshot } from './snapshot.js';
import type { ModelState, Outcome, Preparation } from './state.js';
import { Structure } from './structure.js';
import { Tensors } from './tensors.js';
import type { Terms } from './terms.js';

export type Body = Record<string, unknown>;

export interface ModelOptions {
  readonly name: string;
  readonly epoch: string;
  readonly seed: number;
  /** As the client gave it, as JSON. */
  readonly architecture: unknown;
  readonly workplace: Workplace;
  readonly scheduler: Scheduler;
  readonly kernels: Kernels;
  readonly limits: TreeLimits;
  readonly log: { readonly entries: number; readonly bytes: number };
}

export class Model implements ModelState {
  readonly name: string;
  readonly epoch: string;
  readonly seed: number;
  readonly limits: TreeLimits;
  readonly log: ChangeLog;
  readonly tensors: Tensors;
  structure = new Structure({ type: 'Sequential', options: {}, parameters: new Map(), children: new Map() });
  architecture: unknown;
  revision = 0;
  readonly workplace: Workplace;
  readonly plans: Plans;
  readonly panels: Panels;
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
    this.scheduler = options.scheduler;
    this.line = new Line(`model ${this.name}`);
    const { lock, line, scheduler, plans, panels, workplace } = this;
    this.forwards = new Forwards({ model: this, lock, line, scheduler, plans, panels, workplace });
  }

  /** What it takes of memory, its log aside: parameters, buffers and their panels. */
  get bytes(): number {
    return read.summary(this).bytes + this.panels.bytes;
  }

  summary(): Body {
    return { ...this.identity(), seed: this.seed, architecture: this.architecture, ...read.summary(this) };
  }

  /** The print text and what its answer's headers need. */
  repr(): Body & { repr: string } {
    return { ...this.identity(), repr: read.repr(this) };
  }

  modules(query: { prefix?: string }): Body {
    return { ...this.identity(), modules: read.modules(this, query.prefix ?? '') };
  }

  module(path: string): Body {
    return { ...this.identity(), ...read.module(this, path) };
  }

  parameters(query: read.ParametersQuery): Body {
    return { ...this.identity(), parameters: read.parameters(this, query) };
  }

  async parameter(path: string, query: { index?: string | undefined }): Promise<Body> {
    return explained(() => ({ ...this.identity(), ...read.parameter(this, path, query.index) }));
  }

  async stateDict(query: { module: string }): Promise<Body> {
    return explained(() => ({ ...this.identity(), state_dict: read.stateDict(this, query.module) }));
  }

  changes(query: { after: number; limit: number }): Body {
    return { ...this.identity(), ...read.changes(this.log, query) };
  }

  /** The whole value, or a slice, broadcast as `tensor[index] = value` does. */
  setParameter(
    path: string,
    request: { value: unknown; index?: string | undefined },
    terms?: Terms,
  ): Promise<Body> {
    const op: ClientPatchOp = { op: 'set', ...request };
    return this.change(patch(new Map([[path, { ops: [op] }]]), NAMINGS.value), terms);
  }

  /** All the edits or none, one revision. */
  patch(edits: ReadonlyMap<string, ParameterEdit>, terms?: Terms): Promise<Body> {
    return this.change(patch(edits, NAMINGS.edits), terms);
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

  materializeFor({ module: at, inputs }: ForwardRequest): Promise<unknown> {
    return this.change(materialize({ module: at, inputs: (module) => givenTo(module, inputs).map(planned) }));
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
    return this.forwards.run(request, terms);
  }

  /**
   * The one way to change a model. The preparation sees a state that nobody else is changing. A change that waits is
   * given up at its deadline; one that has begun is made.
   */
  async change(prepare: Preparation, { timeoutMs }: Terms = {}): Promise<Body> {
    let expire!: (error: ApiError) => void;
    const expired = new Promise<never>((_resolve, reject) => (expire = reject));
    const task = this.scheduler.queue.enter(this.line, { timeoutMs }, expire);
    const made = this.lock.exclusive(async () => {
      if (!task.start()) return expired;
      task.waive();
      try {
        const body = await this.make(prepare);
        task.end('done');
        return body;
      } catch (error) {
        task.end('failed');
        throw error;
      }
    });
    return explained(() => Promise.race([made, expired]));
  }

  /** Waits for what runs, then lets go of everything but the log: who reads it may be behind. */
  close(): Promise<void> {
    return this.lock.exclusive(() => {
      this.closed = true;
      this.plans.clear();
      this.panels.clear();
      this.tensors.keepOnly(new Map());
      if (this.generator) this.workplace.memory.release(this.generator);
      this.generator = undefined;
    });
  }

  private async make(prepare: Preparation): Promise<Body> {
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
    if (outcome && changes(outcome, draft)) this.commit(outcome, draft);
    else draft.discard();
    return this.answer(outcome);
  }

  /** From here to the end nothing waits: readers see all of the change or nothing. */
  private commit(outcome: Outcome, draft: Draft): void {
    const { requiresGrad, root, kind } = outcome;
    const revision = this.revision + 1;
    for (const [parameter, region] of draft.regions) {
      this.tensors.set(parameter, {
        region,
        lastChanged: revision,
        requiresGrad: this.gradOf(parameter, requiresGrad),
      });
    }
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
      if (kind !== 'build') this.architecture = describeArchitecture(root);
    }
    this.panels.prune();
    this.revision = revision;
    this.append(outcome);
  }

  private append({ kind, module, touched, requiresGrad }: Outcome): void {
    const { memory, pool } = this.workplace;
    const frozen = [...(requiresGrad?.keys() ?? [])].filter((parameter) => !touched.has(parameter));
    const told = [...touched, ...frozen.map((parameter) => [parameter, null] as const)];
    const parameters = told.map(([parameter, index]) => {
      const { shape, dtype } = parameter;
      const snapshot = new RegionSnapshot(memory, pool, {
        region: this.tensors.get(parameter).region,
        shape,
        dtype,
      });
      return { ...this.structure.identify(parameter), index, shape, dtype, snapshot };
    });
    this.log.append({ revision: this.revision, kind, time: new Date().toISOString(), module, parameters });
  }

  private gradOf(parameter: Parameter, changed: ReadonlyMap<Parameter, boolean> | undefined): boolean {
    return (
      changed?.get(parameter) ?? this.tensors.find(parameter)?.requiresGrad ?? parameter.kind === 'parameter'
    );
  }

  private answer(outcome: Outcome | undefined): Body {
    const touched = [...(outcome?.touched.keys() ?? []), ...(outcome?.requiresGrad?.keys() ?? [])];
    const parameters = [...new Set(touched)].map((parameter) => this.structure.identify(parameter));
    return { ...this.identity(), parameters, ...outcome?.answer };
  }

  identity(): Identity {
    return { name: this.name, epoch: this.epoch, revision: this.revision };
  }

  assertAlive(): void {
    if (this.closed) throw new ApiError('MODEL_NOT_FOUND', [this.name]);
  }
}

/** Whether anything would be another: a value, the tree, what is trained, or where the generator stands. */
function changes({ touched, requiresGrad, root }: Outcome, { generator }: Draft): boolean {
  return touched.size > 0 || (requiresGrad?.size ?? 0) > 0 || root !== undefined || generator !== undefined;
}

// A model's watchpoints. They are observers: making or removing one is no change, and no change waits for one.

import { ApiError } from '../errors.js';
import { parseCondition } from '../nn/condition.js';
import { ExpressionError } from '../nn/expression.js';
import { PathPattern } from '../nn/path-pattern.js';
import { STATISTIC_NAMES } from '../tensor/statistics.js';
import type { WatchedNumbers } from './alert-log.js';
import { quoted } from './state.js';
import { Watchpoint, type WatchedState } from './watchpoint.js';

export interface WatchpointRequest {
  /** A pattern of the paths of parameters and buffers, of at most MAX_PATTERN characters. */
  readonly path: string;
  /** An expression over the names of statistics. */
  readonly when: string;
  readonly on: WatchedNumbers;
}

export class Watchpoints {
  private readonly model: WatchedState;
  private readonly limit: number;
  private readonly all = new Map<string, Watchpoint>();
  private count = 0;
  private stopListening: (() => void) | undefined;
  private due = false;

  constructor(model: WatchedState, limit: number) {
    this.model = model;
    this.limit = limit;
  }

  /**
   * Looks at the present, then at every change to come. Throws EXPRESSION_INVALID or QUOTA_EXCEEDED; rejects with
   * WorkerLostError or PoolClosedError: there is none then.
   */
  async add({ path, when, on }: WatchpointRequest, dryRun = false): Promise<Watchpoint> {
    if (this.all.size >= this.limit) {
      throw new ApiError('QUOTA_EXCEEDED', [`a model has at most ${this.limit} watchpoints`]);
    }
    const holds = conditionOf(when);
    const pattern = new PathPattern(path);
    const id = String(this.count + 1);
    const options = { id, path, covers: (name: string) => pattern.matches(name), when, holds, on };
    const watchpoint = new Watchpoint(this.model, options);
    if (dryRun) {
      await watchpoint.begin();
      watchpoint.close();
      return watchpoint;
    }
    this.count++;
    this.all.set(id, watchpoint);
    this.stopListening ??= this.model.log.subscribe(this.wake);
    try {
      await watchpoint.begin();
    } catch (error) {
      this.drop(id, watchpoint);
      throw error;
    }
    return watchpoint;
  }

  /** Throws WATCHPOINT_NOT_FOUND. */
  get(id: string): Watchpoint {
    const watchpoint = this.all.get(id);
    if (!watchpoint) throw new ApiError('WATCHPOINT_NOT_FOUND', [quoted(id)]);
    return watchpoint;
  }

  list(): readonly Watchpoint[] {
    return [...this.all.values()];
  }

  /** Throws WATCHPOINT_NOT_FOUND. */
  remove(id: string): void {
    this.drop(id, this.get(id));
  }

  close(): void {
    for (const [id, watchpoint] of this.all) this.drop(id, watchpoint);
  }

  private drop(id: string, watchpoint: Watchpoint): void {
    watchpoint.close();
    this.all.delete(id);
    if (this.all.size > 0) return;
    this.stopListening?.();
    this.stopListening = undefined;
  }

  /** Once in a turn, and after what is due in this one: a change is answered first. */
  private readonly wake = (): void => {
    if (this.due) return;
    this.due = true;
    setImmediate(() => {
      this.due = false;
      for (const watchpoint of this.all.values()) watchpoint.run();
    });
  };
}

function conditionOf(when: string) {
  try {
    return parseCondition(when, STATISTIC_NAMES);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new ApiError('EXPRESSION_INVALID', [], [{ path: 'when', message: error.message }]);
  }
}

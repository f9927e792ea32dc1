// Everything that is wrong with a request, gathered before any of it is told.

import { ApiError, type ErrorCode, type Fault } from '../errors.js';
import { explain } from './failures.js';

interface Complaint {
  readonly error: ApiError;
  /** What the code's text is filled with. */
  readonly values: readonly string[];
  readonly faults: readonly Fault[];
}

export class Complaints {
  private readonly all: Complaint[] = [];

  add(code: ErrorCode, faults: readonly Fault[]): void {
    if (faults.length > 0) this.all.push({ error: new ApiError(code, [], faults), values: [], faults });
  }

  /** One fault of a code whose text has values: where it is, and what more is to be said of it. */
  refuse(code: ErrorCode, values: readonly string[], at: string | Fault): void {
    const fault = typeof at === 'string' ? undefined : at;
    const error = new ApiError(code, values, fault && [fault]);
    this.all.push({ error, values, faults: [fault ?? { path: at as string, message: error.message }] });
  }

  /**
   * What `check` gives, or undefined where it throws a client's error: that is kept. `at` is where the client wrote
   * what is checked, `values` fill the error's text. A quota or a defect is no matter of one part: it is thrown.
   */
  attempt<T>(check: () => T, { at, values = [] }: { at: string; values?: readonly string[] }): T | undefined {
    try {
      return check();
    } catch (thrown) {
      const error = explain(thrown);
      if (!(error instanceof ApiError) || error.code === 'QUOTA_EXCEEDED' || error.status >= 500) throw error;
      const faults = values.length > 0 ? undefined : error.errors;
      this.all.push({ error, values, faults: faults ?? [{ path: at, message: error.message }] });
      return undefined;
    }
  }

  /** Throws one error with all that was gathered: under the code that all of it has, or under `mixed`. */
  throwIfAny(mixed: ErrorCode): void {
    const [first, ...others] = this.all;
    if (!first) return;
    if (others.length === 0) throw first.error;
    const same = others.every(({ error }) => error.code === first.error.code);
    const faults = this.all.flatMap((complaint) => complaint.faults);
    throw new ApiError(same ? first.error.code : mixed, same ? first.values : [], faults);
  }
}

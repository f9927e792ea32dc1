// All data sets by name: tables of named columns that jobs read. A data set is whole or not there: what is put takes its
// name when all its values are in memory. How much memory all of them may take is bounded, within the models' limit.

import { randomUUID } from 'node:crypto';
import { ApiError } from '../errors.js';
import { checkName } from '../names.js';
import { requireMatch, type Conditions, type Tagged } from '../precondition.js';
import { nearest } from '../nearest.js';
import type { ColumnOutline } from '../tensor/column-file.js';
import { checkColumns } from './columns.js';
import { readValues, type ReadRequest } from './read.js';
import { quoted, selectColumns, type Selection, type SelectRequest } from './select.js';
import { sourceOf, type GivenColumns, type Workplace } from './source.js';
import { Table, tableBytes } from './table.js';

export interface DatasetLimits {
  readonly maxDatasets: number;
  /** Of all of them. */
  readonly datasetsLimitBytes: number;
}

export interface DatasetsOptions extends Workplace {
  readonly limits: DatasetLimits;
}

interface Dataset {
  readonly name: string;
  /** Another one when the name is deleted and put again. */
  readonly epoch: string;
  /** Counts what was put under the name. */
  readonly version: number;
  readonly table: Table;
}

export class Datasets {
  private readonly workplace: Workplace;
  private readonly limits: DatasetLimits;
  private readonly sets = new Map<string, Dataset>();
  private used = 0;

  constructor({ limits, ...workplace }: DatasetsOptions) {
    this.workplace = workplace;
    this.limits = limits;
  }

  get size(): number {
    return this.sets.size;
  }

  /** Of all tables that somebody holds. */
  get bytes(): number {
    return this.used;
  }

  /**
   * Makes a data set, or replaces the one of that name. Throws NAME_INVALID, QUOTA_EXCEEDED, DATASET_INVALID, QuotaError
   * and TensorError; then nothing has changed.
   */
  async put(name: string, given: GivenColumns, { ifMatch, dryRun }: Conditions = {}) {
    checkName(name);
    requireMatch(ifMatch, this.tagged(name));
    this.refuseBeyondCount(name);
    const source = sourceOf(given, this.workplace);
    const columns = await source.outline();
    checkColumns(columns);
    const table = this.allocate(columns);
    try {
      await source.fill([...table.columns.values()]);
      this.refuseBeyondCount(name);
      requireMatch(ifMatch, this.tagged(name));
    } catch (error) {
      table.release();
      throw error;
    }
    const before = this.sets.get(name);
    const { epoch = randomUUID(), version = 0 } = before ?? {};
    const dataset = { name, epoch, version: version + 1, table };
    if (dryRun) table.release();
    else {
      this.sets.set(name, dataset);
      before?.table.release();
    }
    return { created: before === undefined, summary: describe(dataset) };
  }

  /** In order of name, after the cursor (the last name of the page before). */
  list({ limit, cursor = '' }: { limit: number; cursor?: string | undefined }) {
    const names = [...this.sets.keys()].filter((name) => name > cursor).sort();
    const page = names.slice(0, limit);
    const datasets = page.map((name) => summarize(this.get(name)));
    return { datasets, next_cursor: names.length > limit ? page.at(-1)! : null };
  }

  /** What it is, and values of it where the request names some: these are held by whoever gets them. */
  async read(name: string, request: ReadRequest) {
    const dataset = this.get(name);
    const values = await readValues(this.workplace, dataset, request);
    return { ...describe(dataset), ...(values && { values }) };
  }

  /** Throws DATASET_NOT_FOUND, REVISION_MISMATCH. */
  delete(name: string, { ifMatch, dryRun }: Conditions = {}): void {
    const { table } = this.get(name);
    requireMatch(ifMatch, this.tagged(name));
    if (dryRun) return;
    this.sets.delete(name);
    table.release();
  }

  /** Throws DATASET_NOT_FOUND, COLUMN_UNKNOWN or INVALID_REQUEST. */
  select(request: SelectRequest): Selection {
    return selectColumns(this.get(request.dataset).table, request);
  }

  private tagged(name: string): Tagged | undefined {
    const known = this.sets.get(name);
    return known && { epoch: known.epoch, revision: known.version };
  }

  private get(name: string): Dataset {
    const dataset = this.sets.get(name);
    if (dataset) return dataset;
    const near = nearest(name, this.sets.keys());
    const faults = near === undefined ? [] : [{ path: name, message: `did you mean ${quoted(near)}?` }];
    throw new ApiError('DATASET_NOT_FOUND', [quoted(name)], faults);
  }

  private refuseBeyondCount(name: string): void {
    const { maxDatasets } = this.limits;
    if (this.sets.has(name) || this.sets.size < maxDatasets) return;
    throw new ApiError('QUOTA_EXCEEDED', [`${maxDatasets} data sets are there already`]);
  }

  private allocate(columns: readonly ColumnOutline[]): Table {
    const { datasetsLimitBytes } = this.limits;
    const bytes = tableBytes(columns);
    if (this.used + bytes > datasetsLimitBytes) {
      const beside = this.used === 0 ? '' : `, ${this.used} of which are taken`;
      throw new ApiError('QUOTA_EXCEEDED', [
        `${bytes} bytes do not fit into the ${datasetsLimitBytes} bytes of data sets${beside}`,
      ]);
    }
    const table = new Table(this.workplace.memory, columns, () => (this.used -= bytes));
    this.used += bytes;
    return table;
  }
}

function summarize({ name, epoch, version, table: { rows, bytes } }: Dataset) {
  return { name, epoch, version, rows, bytes };
}

function describe(dataset: Dataset) {
  const columns = [...dataset.table.columns.values()];
  return {
    ...summarize(dataset),
    columns: columns.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  };
}

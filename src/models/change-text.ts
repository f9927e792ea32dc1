// Changes as the text that is sent. A parameter's values are written once for all who watch them, whatever
// their prefixes: the texts last written are kept, within a bound.

import { DEFAULT_BINS, type Bins } from '../tensor/bins.js';
import { stringifyAnswer } from '../tensor/json.js';
import type { Change, ChangedParameter } from './change-log.js';
import type { ChangeMessage, SubscribeMessage } from './stream-messages.js';

/** What of a changed parameter is told. */
export type Telling = Pick<SubscribeMessage, 'detail' | 'bins'>;

type Writer = (parameter: ChangedParameter, bins: Bins | undefined) => string | Promise<string>;

export class ChangeTexts {
  readonly #maxLength: number;
  readonly #values = new Map<ChangedParameter, string>();
  #length = 0;

  /** `maxLength`: characters of values kept. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  readonly #writers: Readonly<Record<Telling['detail'], Writer>> = {
    none: (parameter) => JSON.stringify(describe(parameter)),
    stats: (parameter) => this.#writeStatistics(parameter),
    histogram: (parameter, bins = DEFAULT_BINS) => this.#writeStatistics(parameter, bins),
    values: (parameter) => this.#values.get(parameter) ?? this.#writeValues(parameter),
  };

  /** The message of a change, with those of its parameters that are given. Later if workers are asked. */
  write(
    identity: Pick<ChangeMessage, 'id' | 'model' | 'epoch'>,
    change: Change,
    { detail, bins, parameters }: Telling & { parameters: readonly ChangedParameter[] },
  ): string | Promise<string> {
    const { revision, kind, time, module } = change;
    const head = JSON.stringify({ type: 'change', ...identity, revision, kind, time, module }).slice(0, -1);
    const finish = (texts: readonly string[]): string => `${head},"parameters":[${texts.join(',')}]}`;
    const texts = parameters.map((parameter) => this.#writers[detail](parameter, bins));
    if (texts.every((text) => typeof text === 'string')) return finish(texts);
    return Promise.all(texts.map((text) => Promise.resolve(text))).then(finish);
  }

  #writeStatistics(parameter: ChangedParameter, bins?: Bins): string | Promise<string> {
    const without = (): string => JSON.stringify({ ...describe(parameter), stats: null });
    if (!parameter.snapshot) return without();
    return parameter.snapshot.statistics(bins).then(
      (stats) => JSON.stringify({ ...describe(parameter), stats }, nonFiniteAsText),
      // A lost worker must not make a hole in the revisions.
      without,
    );
  }

  #writeValues(parameter: ChangedParameter): string {
    const value = parameter.snapshot?.read(parameter.index) ?? null;
    const text = stringifyAnswer({ ...describe(parameter), value });
    this.#values.set(parameter, text);
    this.#length += text.length;
    for (const oldest of this.#values.keys()) {
      if (this.#length <= this.#maxLength || oldest === parameter) break;
      this.#forget(oldest);
    }
    // Those who watch a change are served in the turn in which it is made: that long even the longest text is kept.
    if (this.#length > this.#maxLength) setImmediate(() => this.#forget(parameter)).unref();
    return text;
  }

  #forget(parameter: ChangedParameter): void {
    this.#length -= this.#values.get(parameter)?.length ?? 0;
    this.#values.delete(parameter);
  }
}

function describe({ path, aliases, field, index, shape, dtype }: ChangedParameter) {
  return { path, aliases, field, index, shape, dtype };
}

/** NaN and infinities are strings on the wire; JSON alone would make null of them. */
function nonFiniteAsText(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

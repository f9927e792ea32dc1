// Changes as the text that is sent. A parameter's values are written once for all who watch them, whatever
// their prefixes: the texts last written are kept, within a bound.

import { stringifyAnswer } from '../tensor/json.js';
import type { Change, ChangedParameter } from './change-log.js';
import type { ChangeMessage, Detail } from './stream-messages.js';

type Writer = (parameter: ChangedParameter) => string | Promise<string>;

export class ChangeTexts {
  readonly #maxLength: number;
  readonly #values = new Map<ChangedParameter, string>();
  #length = 0;

  /** `maxLength`: characters of values kept. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  readonly #writers: Readonly<Record<Detail, Writer>> = {
    none: (parameter) => JSON.stringify(describe(parameter)),
    stats: (parameter) =>
      parameter.snapshot?.statistics().then(
        (stats) => JSON.stringify({ ...describe(parameter), stats }, nonFiniteAsText),
        // A lost worker must not make a hole in the revisions.
        () => JSON.stringify({ ...describe(parameter), stats: null }),
      ) ?? JSON.stringify({ ...describe(parameter), stats: null }),
    values: (parameter) => this.#values.get(parameter) ?? this.#writeValues(parameter),
  };

  /** The message of a change, with those of its parameters that are given. Later if workers are asked. */
  write(
    identity: Pick<ChangeMessage, 'id' | 'model' | 'epoch'>,
    change: Change,
    { detail, parameters }: { detail: Detail; parameters: readonly ChangedParameter[] },
  ): string | Promise<string> {
    const { revision, kind, time, module } = change;
    const head = JSON.stringify({ type: 'change', ...identity, revision, kind, time, module }).slice(0, -1);
    const finish = (texts: readonly string[]): string => `${head},"parameters":[${texts.join(',')}]}`;
    const texts = parameters.map(this.#writers[detail]);
    if (texts.every((text) => typeof text === 'string')) return finish(texts);
    return Promise.all(texts.map((text) => Promise.resolve(text))).then(finish);
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

// The few functions besides constructors that networks are written with: OrderedDict, dict, list, tuple,
// torch.Size, float, range.

import { PythonFloat } from '../options.js';
import { pairsOf, type Argument } from './construct.js';
import { dictOf, sequenceOf, type Pair, type Value } from './value.js';

const INFINITIES = new Map([
  ['inf', Infinity],
  ['infinity', Infinity],
  ['-inf', -Infinity],
  ['-infinity', -Infinity],
]);

type Call = (at: number, args: readonly Argument[]) => Value | string;

const mapping =
  (ordered: boolean): Call =>
  (at, args) => {
    const [first, ...rest] = args;
    const positional = first !== undefined && first.keyword === undefined;
    const pairs = positional ? pairsOf(first.value) : [];
    const keywords = positional ? rest : args;
    if (pairs === undefined || keywords.some(({ keyword }) => keyword === undefined)) {
      if (first?.value.is === 'fault') return first.value;
      return 'an OrderedDict is made of one list of pairs: OrderedDict([("name", module), ...])';
    }
    const named = keywords.map(({ at: keyAt, keyword = '', value }): Pair => {
      return { key: { is: 'constant', at: keyAt, value: keyword }, value };
    });
    return dictOf(at, [...pairs, ...named], { ordered });
  };

const sameSequence: Call = (at, args) => {
  const value = args[0]?.value;
  if (args.length === 0) return sequenceOf(at, []);
  return args.length === 1 && (value?.is === 'sequence' || value?.is === 'fault')
    ? value
    : 'it takes one list';
};

/** More than a text may unpack anywhere: what is longer is refused before it is made. */
const MAX_RANGE = 100_000;

const range: Call = (at, args) => {
  const numbers = args.map(({ keyword, value }) =>
    keyword === undefined && value.is === 'constant' && Number.isInteger(value.value)
      ? Number(value.value)
      : undefined,
  );
  const fault = args.find(({ value }) => value.is === 'fault');
  if (fault) return fault.value;
  const [first, second, step = 1] = numbers;
  if (first === undefined || numbers.includes(undefined) || numbers.length > 3) {
    return 'range() takes whole numbers: range(stop), range(start, stop), range(start, stop, step)';
  }
  if (step === 0) return 'the step of range() is not 0';
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > MAX_RANGE) return `range() has ${length} numbers; at most ${MAX_RANGE} are read`;
  return sequenceOf(
    at,
    Array.from({ length }, (_, i) => ({ is: 'constant', at, value: start + i * step })),
  );
};

/** By name: the value of a call, or what is wrong with it. */
export const FUNCTIONS = new Map<string, Call>([
  ['OrderedDict', mapping(true)],
  ['collections.OrderedDict', mapping(true)],
  ['dict', mapping(false)],
  ['list', sameSequence],
  ['tuple', sameSequence],
  ['torch.Size', sameSequence],
  ['range', range],
  [
    'float',
    (at, args) => {
      const value = args.length === 1 && args[0]?.value.is === 'constant' ? args[0].value.value : undefined;
      const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
      const float =
        typeof value === 'number' ? value : value instanceof PythonFloat ? value.value : INFINITIES.get(text);
      if (float === undefined) return 'float() is read of a number, "inf" and "-inf"';
      return { is: 'constant', at, value: Number.isInteger(float) ? new PythonFloat(float) : float };
    },
  ],
]);

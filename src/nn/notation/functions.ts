// The few functions besides constructors that networks are written with: OrderedDict, dict, list, tuple, torch.Size, float.

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

/** By name: the value of a call, or what is wrong with it. */
export const FUNCTIONS = new Map<string, Call>([
  ['OrderedDict', mapping(true)],
  ['collections.OrderedDict', mapping(true)],
  ['dict', mapping(false)],
  ['list', sameSequence],
  ['tuple', sameSequence],
  ['torch.Size', sameSequence],
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

// Python's slicing of a tensor, from text: `0,0` · `:` · `1:3,-1` · `::2,...`. Integers, slices and one ellipsis;
// no masks, lists or None. Parsing knows no shape; resolving gives the part of a tensor that is meant.

import type { Shape } from './shape.js';
import { wholeView, type View } from './view.js';

export type IndexItem =
  | { readonly kind: 'at'; readonly index: number }
  | { readonly kind: 'slice'; readonly start?: number; readonly stop?: number; readonly step: number }
  | { readonly kind: 'ellipsis' };
export type Index = readonly IndexItem[];

/** The text is no index; `position` is the character where that shows, from 0. */
export class IndexSyntaxError extends Error {
  override readonly name = 'IndexSyntaxError';
  readonly position: number;
  constructor(message: string, position: number) {
    super(`${message}, at character ${position + 1}`);
    this.position = position;
  }
}

/** The tensor has no such element or dimension. The message is PyTorch's. */
export class IndexRangeError extends Error {
  override readonly name = 'IndexRangeError';
}

const TOKEN = /\s*(?:([+-]?\s*\d+)|(\.\.\.|[:,])|(\S))/y;
const END = '';

interface Token {
  /** A number, punctuation, or END. */
  readonly value: number | string;
  readonly position: number;
}

/** Throws IndexSyntaxError. Empty text is the whole tensor. */
export function parseIndex(text: string): Index {
  const tokens = tokenize(text);
  const items: IndexItem[] = [];
  let at = 0;
  const peek = (): Token['value'] => tokens[at]!.value;
  const fail = (message: string, token = tokens[at]!): never => {
    throw new IndexSyntaxError(message, token.position);
  };
  const optionalInteger = (): number | undefined =>
    typeof peek() === 'number' ? (tokens[at++]!.value as number) : undefined;
  const colon = (): boolean => peek() === ':' && at++ >= 0;
  const item = (): IndexItem => {
    if (peek() === '...') {
      if (items.some(({ kind }) => kind === 'ellipsis'))
        fail("an index can only have a single ellipsis ('...')");
      at++;
      return { kind: 'ellipsis' };
    }
    const start = optionalInteger();
    if (!colon())
      return start === undefined ? fail('expected an integer, a slice or ...') : { kind: 'at', index: start };
    const stop = optionalInteger();
    const stepToken = colon() ? tokens[at]! : undefined;
    const step = stepToken ? (optionalInteger() ?? 1) : 1;
    if (step === 0) fail('slice step cannot be zero', stepToken);
    if (step < 0) fail('step must be greater than zero', stepToken);
    return {
      kind: 'slice',
      ...(start !== undefined && { start }),
      ...(stop !== undefined && { stop }),
      step,
    };
  };
  while (peek() !== END) {
    items.push(item());
    if (peek() !== END && peek() !== ',') fail('expected a comma');
    if (peek() === ',') at++;
  }
  return items;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const [matched, integer, punctuation, stray] = TOKEN.exec(text)!;
    const position = from + matched.length - matched.trimStart().length;
    if (stray !== undefined) {
      const character = JSON.stringify(String.fromCodePoint(text.codePointAt(position)!));
      throw new IndexSyntaxError(`${character} has no meaning in an index`, position);
    }
    tokens.push({ value: punctuation ?? clamped(integer!), position });
  }
  tokens.push({ value: END, position: text.length });
  return tokens;
}

/** Beyond 2^53 - 1 no tensor has an element, so the nearest safe integer says the same. */
function clamped(integer: string): number {
  const value = Number(integer.replace(/\s/g, ''));
  return Math.min(Math.max(value, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER) + 0;
}

/** What an index takes of one dimension. */
export interface Taken {
  readonly start: number;
  readonly step: number;
  readonly count: number;
  /** An integer takes one element, and the dimension is gone. */
  readonly drops: boolean;
}

/** What the index takes of each dimension of a tensor of this shape; slices clamp as Python's. Throws IndexRangeError. */
export function resolveDimensions(index: Index, shape: Shape): Taken[] {
  const used = index.filter(({ kind }) => kind !== 'ellipsis').length;
  const [first] = index;
  if (used > shape.length) {
    // `:` is the whole of a scalar too, though PyTorch takes only `...` there.
    const isWhole =
      first?.kind === 'slice' && first.start === undefined && first.stop === undefined && first.step === 1;
    if (shape.length === 0 && index.length === 1 && isWhole) return [];
    if (shape.length === 0 && index.length === 1)
      throw new IndexRangeError('invalid index of a 0-dim tensor');
    throw new IndexRangeError(`too many indices for tensor of dimension ${shape.length}`);
  }
  const taken: Taken[] = [];
  const keep = (): void => {
    taken.push({ start: 0, step: 1, count: shape[taken.length]!, drops: false });
  };
  for (const item of index) {
    if (item.kind === 'ellipsis') {
      for (let skipped = shape.length - used; skipped > 0; skipped--) keep();
      continue;
    }
    const dim = taken.length;
    const extent = shape[dim]!;
    if (item.kind === 'at') {
      const start = item.index < 0 ? item.index + extent : item.index;
      if (start < 0 || start >= extent) {
        throw new IndexRangeError(
          `index ${item.index} is out of bounds for dimension ${dim} with size ${extent}`,
        );
      }
      taken.push({ start, step: 1, count: 1, drops: true });
    } else {
      const bound = (at: number): number => Math.min(Math.max(at < 0 ? at + extent : at, 0), extent);
      const start = bound(item.start ?? 0);
      const stop = Math.max(bound(item.stop ?? extent), start);
      const count = Math.ceil((stop - start) / item.step);
      taken.push({ start: count > 0 ? start : 0, step: count > 1 ? item.step : 1, count, drops: false });
    }
  }
  while (taken.length < shape.length) keep();
  return taken;
}

/** The part of a tensor of this shape that the index means. Throws IndexRangeError. */
export function resolveIndex(index: Index, shape: Shape): View {
  const { strides } = wholeView(shape);
  const dims = resolveDimensions(index, shape).map((taken, i) => ({ ...taken, stride: strides[i]! }));
  const kept = dims.filter(({ drops }) => !drops);
  return {
    shape: kept.map(({ count }) => count),
    strides: kept.map(({ step, stride }) => step * stride),
    offset: dims.reduce((offset, { start, stride }) => offset + start * stride, 0),
  };
}

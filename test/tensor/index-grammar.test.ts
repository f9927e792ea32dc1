import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexRangeError, IndexSyntaxError, parseIndex, resolveIndex } from '#src/tensor/index-grammar.js';
import { numel, type Shape } from '#src/tensor/shape.js';
import { gather } from '#src/tensor/view.js';

/** `tensor`: its shape; its elements are 0, 1, 2, ... */
interface Read {
  tensor: number[];
  index: string;
}
type Fixture = Read & ({ shape: number[]; data: number[] } | { error: string });
const { reads } = JSON.parse(readFileSync('test/fixtures/indexing.json', 'utf8')) as { reads: Fixture[] };

const arange = (shape: Shape) => Float32Array.from({ length: numel(shape) }, (_, i) => i);

function read(shape: Shape, text: string) {
  const { shape: found, data } = gather(
    { dtype: 'float32', data: arange(shape) },
    resolveIndex(parseIndex(text), shape),
  );
  return { shape: [...found], data: Array.from(data, Number) };
}

const positionOf = (text: string): number | undefined => {
  try {
    parseIndex(text);
  } catch (error) {
    if (error instanceof IndexSyntaxError) return error.position;
    throw error;
  }
  return undefined;
};

type Nested = number | Nested[];
type Item = number | { start?: number; stop?: number; step?: number };

/** The same by Python's definition of slicing, on lists in lists. */
function model(tensor: Nested, items: readonly Item[]): Nested {
  if (items.length === 0) return tensor;
  const [item, ...rest] = items;
  const list = tensor as Nested[];
  if (typeof item === 'number') return model(list.at(item)!, rest);
  const { start, stop, step = 1 } = item!;
  return list
    .slice(start, stop)
    .filter((_, i) => i % step === 0)
    .map((inner) => model(inner, rest));
}

function nest(shape: Shape, from = { value: 0 }): Nested {
  if (shape.length === 0) return from.value++;
  return Array.from({ length: shape[0]! }, () => nest(shape.slice(1), from));
}

const bound = fc.option(fc.integer({ min: -6, max: 6 }), { nil: undefined });
const slice = fc.record({
  start: bound,
  stop: bound,
  step: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
});
const cases = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }).chain((shape) => {
  const items = shape.map((extent) => fc.oneof(slice, fc.integer({ min: -extent, max: extent - 1 })));
  return fc.record({
    shape: fc.constant(shape),
    items: fc.tuple(...items),
    used: fc.nat({ max: shape.length }),
    ellipsis: fc.boolean(),
    space: fc.constantFrom('', ' ', '  '),
  });
});

function write(item: Item, space: string): string {
  if (typeof item === 'number') return String(item);
  const { start = '', stop = '', step } = item;
  return [start, stop, ...(step === undefined ? [] : [step])].join(`${space}:${space}`);
}

describe('an index', () => {
  it('takes the elements that Python takes from lists in lists, with or without an ellipsis', () => {
    fc.assert(
      fc.property(cases, ({ shape, items, used, ellipsis, space }) => {
        const written = items.slice(0, used).map((item) => write(item, space));
        const tail = ellipsis ? ['...'] : [];
        const text = [...written, ...tail].join(`,${space}`);
        const expected = [model(nest(shape), items.slice(0, used))].flat(5) as number[];
        expect(read(shape, text).data).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('with an ellipsis first counts its items from the last dimension', () => {
    fc.assert(
      fc.property(cases, ({ shape, items, used }) => {
        const last = items.slice(items.length - used);
        const full: Item[] = [...shape.slice(used).map(() => ({})), ...last];
        const text = ['...', ...last.map((item) => write(item, ''))].join(',');
        expect(read(shape, text).data).toEqual([model(nest(shape), full)].flat(5));
      }),
      { numRuns: 200 },
    );
  });

  it.each(reads.filter((each) => 'data' in each))(
    '$index of $tensor is what PyTorch reads',
    ({ tensor, index, shape, data }) => {
      expect(read(tensor, index)).toEqual({ shape, data });
    },
  );

  it.each(reads.filter((each) => 'error' in each))(
    '$index of $tensor is refused in PyTorch’s words',
    ({ tensor, index, error }) => {
      // Python's advice to call item() is left out, and a position added to what the text alone shows.
      const [sentence] = error.split('. Use');
      let message = '';
      try {
        read(tensor, index);
      } catch (caught) {
        expect(caught instanceof IndexRangeError || caught instanceof IndexSyntaxError).toBe(true);
        message = (caught as Error).message.replace(/, at character \d+$/, '');
      }
      expect(message).toBe(sentence);
    },
  );

  it.each(['', ' ', ':', '...', ' ... '])('"%s" is the whole tensor', (text) => {
    expect(read([2, 3], text)).toEqual({ shape: [2, 3], data: [0, 1, 2, 3, 4, 5] });
    expect(read([], text)).toEqual({ shape: [], data: [0] });
  });

  it.each([
    ['0,x', 2],
    ['0 1', 2],
    ['1.5', 1],
    [',', 0],
    ['0,,1', 2],
    ['::-1', 2],
    ['1:2:0', 4],
    ['1:2:3:4', 5],
    ['...,...', 4],
    ['None', 0],
    ['[0]', 0],
    ['-', 0],
    ['....', 3],
    ['0,𝄞', 2],
  ])('"%s" is a mistake at character %d (from 0)', (text, position) => {
    expect(positionOf(text)).toBe(position);
  });

  it('clamps slices however large their numbers are, and refuses such integers', () => {
    const huge = '9'.repeat(400);
    expect(read([3], `-${huge}:${huge}:${huge}`)).toEqual({ shape: [1], data: [0] });
    expect(read([3], `${huge}:`)).toEqual({ shape: [0], data: [] });
    expect(() => read([3], huge)).toThrow(IndexRangeError);
  });
});

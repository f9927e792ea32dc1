import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';
import { readBody, readingRoom, restoreBody, TEXT_PADDING, textRoom, writeText } from '#src/runtime/text.js';
import type { DType } from '#src/tensor/dtype.js';
import { decodeTensor, inspectTensor, stringifyAnswer, TensorError } from '#src/tensor/json.js';
import { numel } from '#src/tensor/shape.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { zeros, type TensorData } from '#src/tensor/tensor-value.js';
import { FIRST, kernels, memory, randomBits } from '../kernels/text.js';
import { bodyOf, GUARD, listsOf, read } from './reading.js';

/** What becomes of a tensor: its values, or everything that is said to be wrong with it. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof TensorError) return error.faults;
    throw error;
  }
}

const DTYPES: DType[] = ['float32', 'int64', 'int32', 'bool'];

/** Everything that models ask of a tensor in a request. */
const outcomes = (value: unknown): unknown[] => [
  outcome(() => inspectTensor(value, 'x')),
  ...DTYPES.map((dtype) => outcome(() => decodeTensor(value, { dtype, path: 'x' }))),
];

const digits = fc.stringMatching(/^(0|[1-9]\d{0,24})$/);
const numbers = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  { weight: 2, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => JSON.stringify(x)) },
  { weight: 2, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => JSON.stringify(x)) },
  fc.integer({ min: -(2 ** 26), max: 2 ** 26 }).map(String),
  fc.maxSafeInteger().map(String),
  fc.tuple(digits, fc.stringMatching(/^(\.\d{1,22})?([eE][+-]?\d{1,3})?$/)).map((parts) => parts.join('')),
  fc.constantFrom(
    '-0',
    '16777216',
    '16777217',
    '-16777217',
    '9007199254740992',
    '1e400',
    '1e-400',
    '2147483648',
  ),
);
const words = fc.constantFrom('true', 'false', '"NaN"', '"Infinity"', '"-Infinity"');
const oddities = fc.constantFrom(
  ...[
    'null',
    '"nan"',
    '"N\\u0061N"',
    '{}',
    '[]',
    '[1]',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1e',
    'NaN',
    'tru',
    '"x[1,2]"',
    '',
  ],
);
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n  ');

/** A nested list of the shape, of elements as they come. */
const listOf = (shape: number[], element: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  shape.reduceRight<fc.Arbitrary<string>>(
    (inner, extent) =>
      fc
        .tuple(fc.array(inner, { minLength: extent, maxLength: extent }), space, space)
        .map(([parts, a, b]) => `[${a}${parts.join(`${b},${a}`)}${b}]`),
    element,
  );
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const regular = shapes.chain((shape) => listOf(shape, numbers));
const mixed = shapes.chain((shape) =>
  listOf(shape, fc.oneof({ weight: 8, arbitrary: numbers }, { weight: 2, arbitrary: words })),
);
const strange = shapes.chain((shape) =>
  listOf(shape, fc.oneof({ weight: 9, arbitrary: numbers }, { weight: 1, arbitrary: oddities })),
);
const lists = fc.oneof(regular, mixed, strange);
const objects = fc
  .tuple(fc.constantFrom('float32', 'int64', 'int32', 'bool', 'half'), shapes, lists)
  .map(([dtype, shape, data]) => `{"dtype":"${dtype}","shape":[${shape.join(',')}],"data":${data}}`);
const agreeing = fc
  .tuple(fc.constantFrom('float32', 'int64', 'int32', 'bool'), shapes, fc.boolean())
  .chain(([dtype, shape, nested]) =>
    listOf(
      nested ? shape : [numel(shape)],
      dtype === 'bool' ? fc.constantFrom('0', '1', 'true') : numbers,
    ).map((data) => `{"data":${data},"shape":[${shape.join(',')}],"dtype":"${dtype}"}`),
  );
const tensors = fc.oneof(lists, objects, agreeing);
const others = fc.oneof(
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
  fc.constantFrom('"a [1,2] \\" [3]"', '"\\\\"', '"é𝄞"', '[{"a":[1,2]},[3]]', '[1,[2,3],[4]]'),
);
const bodies = fc
  .array(
    fc.tuple(
      fc.constantFrom('a', 'b', 'c', 'é', '[1]'),
      fc.oneof({ weight: 3, arbitrary: tensors }, others),
      space,
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((members) => `{${members.map(([key, value, gap]) => `"${key}"${gap}:${value}${gap}`).join(',')}}`);

/** As it arrives: UTF-8 has no half of a pair. */
const wellFormed = (text: string): string => Buffer.from(text).toString();

describe('a body that a worker has read', () => {
  it('is the body that JSON.parse makes, or wrong in its words, whatever stands in it', () => {
    const edits = fc.array(
      fc.tuple(fc.nat(400), fc.constantFrom('', '[', ']', ',', '"', '1', ' ', ':', '{', '\\')),
      {
        maxLength: 2,
      },
    );
    const texts = fc
      .tuple(fc.oneof(bodies, lists, others), fc.oneof(fc.constant([]), edits))
      .map(([text, spoilt]) =>
        wellFormed(
          spoilt.reduce((spoiling, [at, character]) => {
            const place = at % (spoiling.length + 1);
            return spoiling.slice(0, place) + character + spoiling.slice(place + 1);
          }, text),
        ),
      );
    fc.assert(
      fc.property(texts, (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch (error) {
          expect(read(text)).toEqual({ wrong: (error as Error).message });
          return;
        }
        expect(JSON.stringify(bodyOf(text))).toBe(JSON.stringify(expected));
      }),
      { numRuns: 3000 },
    );
  });

  it('has tensors with the same values, and the same faults in the same words, in every dtype', () => {
    fc.assert(
      fc.property(tensors, (text) => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          return;
        }
        expect(outcomes(bodyOf(text))).toEqual(outcomes(parsed));
      }),
      { numRuns: 3000 },
    );
  });

  it('keeps a regular list apart, with its shape, whatever white space is in it', () => {
    const [list, ...none] = listsOf(' { "a [" : [\r\n[ 1 ,\t-2.5e-1 ] , [ "NaN" , true ] ] , "b" : "[3]" } ');
    expect(none).toEqual([]);
    expect(list).toMatchObject({ shape: [2, 2], integral: false, booleans: true, min: -0.25, max: 1 });
    expect(new Float32Array(memory.buffer, list!.address, 4)).toEqual(Float32Array.of(1, -0.25, NaN, 1));
  });

  it('leaves short lists, and all others, in a text that is parsed as before', () => {
    const long = `[${'1,'.repeat(127)}1]`;
    const short = `[${'1,'.repeat(126)}1]`;
    expect(
      listsOf(`[${long},{"a":${short},"b":${long}}]`, { leastNumbers: 128 }).map(({ from }) => from),
    ).toEqual([1 + long.length + ',{"a":'.length + short.length + ',"b":'.length]);
    for (const odd of [
      '[[1],2]',
      '[[1,2],[3]]',
      '[1,[2]]x',
      '[1 2]',
      '[1,]',
      '[,1]',
      '[1,null]',
      '{[1]:2}',
      '[1',
      '[[1]',
    ])
      expect(listsOf(odd).filter(({ shape }) => numel(shape) > 1)).toEqual([]);
  });

  it('is wrong where a list stands for a key', () => {
    for (const text of ['{[1,2]:3}', '{[1,null]:3}', '{"a":1,[1,2] \n:3}'])
      expect(read(text)).toEqual({ wrong: messageOf(text) });
  });

  it('stands in memory as the kernels have it', () => {
    expect(readingRoom(0)).toBe(kernels.reading_bytes());
  });

  it('takes no number from behind its end', () => {
    expect(read('[1,2', { behind: ',3]' })).toEqual({ wrong: messageOf('[1,2') });
    expect(read('[1,2', { behind: '3]' })).toEqual({ wrong: messageOf('[1,2') });
    expect(read('[1,', { behind: '3]' })).toEqual({ wrong: messageOf('[1,') });
    expect(read('"[1', { behind: '"' })).toEqual({ wrong: messageOf('"[1') });
    expect(bodyOf('[1,2]', { behind: ':' })).toEqual([1, 2]);
  });

  it('that is not UTF-8 has the replacement characters that a text of it has', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xff, 0xe2, 0x82]),
      Buffer.from('","b":[1,2]}'),
    ]);
    const reading = read(bytes);
    expect('lists' in reading && reading.skeleton.startsWith('{"a":"\ufffd\ufffd","b":')).toBe(true);
  });

  it('may begin with a byte order mark, which is passed over as the parser of requests does', () => {
    expect(read('\ufeff[1,2]')).toMatchObject({ lists: [{ shape: [2] }] });
    expect(read('\ufeff[1,2')).toEqual({ wrong: messageOf('\ufeff[1,2') });
  });

  it('has what is wrong with a long list found by the worker: the main thread does not parse it', () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i / 8);
    const text = `{"inputs":{"shape":[100000],"data":[${numbers.join(',')},null,"x",{}]}}`.replace(',{}', '');
    const reading = read(text, { leastNumbers: 128 });
    if ('wrong' in reading) throw new Error(reading.wrong);
    expect(reading.skeleton.length).toBeLessThan(100);
    const [list] = reading.lists;
    expect(list).toMatchObject({ shape: [100_002], faults: { count: 2 } });
    const { inputs } = JSON.parse(text) as { inputs: { shape: number[]; data: unknown[] } };
    const judged = (bodyOf(text, { leastNumbers: 128 }) as { inputs: unknown }).inputs;
    expect(outcomes(judged)).toEqual(outcomes(inputs));
    inputs.shape = [100_002];
    const agreeing = JSON.stringify({ inputs });
    expect(outcomes((bodyOf(agreeing, { leastNumbers: 128 }) as { inputs: unknown }).inputs)).toEqual(
      outcomes(inputs),
    );
    const infinite = `[${'1,'.repeat(200)}1e400,${'2,'.repeat(200)}3]`;
    expect(read(infinite, { leastNumbers: 128 })).toMatchObject({ lists: [{ faults: { count: 1 } }] });
    const many = `[[${'1,'.repeat(200)}null],[${'null,'.repeat(200)}1]]`;
    expect(outcomes(bodyOf(many))).toEqual(outcomes(JSON.parse(many)));
  });

  it('has every key of an object in the text that is parsed, in whatever list it stands', () => {
    const text = `{"a":[${'1,'.repeat(200)}{"__proto__":[${'2,'.repeat(200)}3]}]}`;
    const reading = read(text, { leastNumbers: 128 });
    if ('wrong' in reading) throw new Error(reading.wrong);
    expect(reading.skeleton).toContain('__proto__');
    expect(reading.lists).toHaveLength(1);
    expect(JSON.stringify(bodyOf(text, { leastNumbers: 128 }))).toBe(JSON.stringify(JSON.parse(text)));
  });

  it('does not run on into digits that stand behind it, to the end of memory', () => {
    const text = '[1,23456';
    const all = Buffer.from(memory.buffer);
    const address = all.length - 4096;
    all.fill('7', address);
    all.set(Buffer.from(text), address);
    const room = { address: FIRST, bytes: readingRoom(8) };
    const order = { text: { address, bytes: text.length }, room, leastNumbers: 1 };
    expect(readBody(memory, kernels, order)).toEqual({ wrong: messageOf(text) });
  });

  it('with no room for its numbers keeps them in its text', () => {
    const body = Buffer.from('{"a":[1,2,3],"b":[4,5]}');
    Buffer.from(memory.buffer).set(body, FIRST);
    const room = { address: FIRST + 128, bytes: readingRoom(2) };
    const reading = readBody(memory, kernels, {
      text: { address: FIRST, bytes: body.length },
      room,
      leastNumbers: 1,
    });
    expect(reading).toMatchObject({ lists: [{ shape: [2], from: 17 }] });
  });

  it('nested a hundred thousand lists deep is read once, not once a list', () => {
    const deep = '['.repeat(100_000) + '1,2' + ']'.repeat(100_000);
    expect(listsOf(deep)).toHaveLength(1);
    expect(read('['.repeat(100_000))).toHaveProperty('wrong');
    expect(read('[1,'.repeat(100_000))).toHaveProperty('wrong');
    const odd = `${'[1,'.repeat(20_000)}{}${']'.repeat(20_000)}`;
    let ends = 0;
    const counting: typeof kernels = {
      ...kernels,
      list_end: (at, end) => (ends++, kernels.list_end(at, end)),
    };
    expect(read(odd, { with: counting })).toMatchObject({ lists: [], skeleton: odd });
    expect(ends).toBe(1);
  });
});

function messageOf(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it is JSON');
}

const values: Record<DType, fc.Arbitrary<number | bigint>> = {
  float32: fc.oneof(
    fc.float(),
    fc.integer({ min: -99, max: 99 }),
    fc.constantFrom(-0, NaN, Infinity, 3e38, 1e-45),
  ),
  int64: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -99n, max: 99n })),
  int32: fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -99, max: 99 })),
  bool: fc.constantFrom(0, 1),
};
const answers = fc.tuple(fc.constantFrom(...DTYPES), shapes).chain(([dtype, shape]) =>
  fc.array(values[dtype], { minLength: numel(shape), maxLength: numel(shape) }).map((elements) => {
    const tensor = zeros(dtype, shape);
    (tensor.data as unknown as (number | bigint)[] & TensorData).set(elements as never);
    return tensor;
  }),
);

/** The text of a tensor, or of a part of it, as a worker writes it. */
function written(
  tensor: TensorValue,
  layout: 'flat' | 'nested',
  part?: { from: number; to: number },
): string {
  const { dtype, shape, data } = tensor;
  const all = Buffer.from(memory.buffer);
  all.set(new Uint8Array(data.buffer), FIRST);
  const out = FIRST + 8192;
  const room = textRoom({ dtype, shape }, layout, part);
  all[out + room] = GUARD;
  const placed = { dtype, shape, address: FIRST };
  const bytes = writeText(memory, kernels, { tensor: placed, layout, out, room, ...(part && { part }) });
  expect(all[out + room]).toBe(GUARD);
  expect(bytes).toBeLessThanOrEqual(room);
  return all.toString('latin1', out, out + bytes);
}

describe('the numbers of an answer', () => {
  it('written by a worker are the text that the answer has, in any dtype and layout', () => {
    fc.assert(
      fc.property(answers, fc.constantFrom('flat' as const, 'nested' as const), (tensor, layout) => {
        const whole = stringifyAnswer(tensor, { layout });
        expect(whole.endsWith(`"data":${written(tensor, layout)}}`)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('may be written in parts, cut anywhere: their texts joined are the whole', () => {
    fc.assert(
      fc.property(
        answers,
        fc.constantFrom('flat' as const, 'nested' as const),
        fc.array(fc.nat(), { maxLength: 3 }),
        (tensor, layout, cuts) => {
          const count = tensor.data.length;
          if (count === 0) return;
          const ends = [0, ...cuts.map((cut) => cut % (count + 1)), count].sort((a, b) => a - b);
          const parts = ends.slice(1).map((to, i) => written(tensor, layout, { from: ends[i]!, to }));
          expect(parts.join('')).toBe(written(tensor, layout));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('workers', () => {
  const shared = new SharedMemory({ limitBytes: 2 ** 26 });
  let pool: Pool;
  beforeAll(async () => {
    pool = new Pool({ workers: 2, memory: shared, timeoutMs: 30_000 });
    await pool.ready();
  });
  afterAll(() => pool.close());

  it('write a tensor together, and read it back to the same bits', async () => {
    const next = randomBits(123_456_789);
    const shape = [50, 40, 25];
    const count = numel(shape);
    const data = shared.allocate(count * 4);
    const { segment } = data;
    const source = shared.tensor(data, shape, 'float32').data as Float32Array;
    for (let i = 0; i < count; i++) source[i] = next() / 2 ** 31 - 1;

    const tensor = { address: data.address, shape, dtype: 'float32' as const };
    const write = async (from: number, to: number): Promise<string> => {
      const room = textRoom(tensor, 'nested', { from, to });
      const { address } = shared.allocate(room, segment);
      const order = { segment, tensor, layout: 'nested' as const, out: address, room, part: { from, to } };
      const bytes = await pool.call('writeText', order);
      return Buffer.from(shared.memories[segment]!.buffer, address, bytes).toString('latin1');
    };
    const parts = await Promise.all([write(0, 12_345), write(12_345, 30_000), write(30_000, count)]);
    const body = Buffer.from(`{"module":"","inputs":${parts.join('')}}`);

    const memory = shared.memories[segment]!;
    const { address } = shared.allocate(body.length + TEXT_PADDING, segment);
    Buffer.from(memory.buffer).set(body, address);
    const roomBytes = readingRoom(count);
    const room = { address: shared.allocate(roomBytes, segment).address, bytes: roomBytes };
    const reading = await pool.call('readBody', { segment, text: { address, bytes: body.length }, room });
    if ('wrong' in reading) throw new Error(reading.wrong);
    expect(reading.skeleton.length).toBeLessThan(100);
    const { inputs } = restoreBody(JSON.parse(reading.skeleton), reading, { memory, address }) as {
      inputs: unknown;
    };
    expect(inspectTensor(inputs, 'inputs')).toEqual({ shape, dtype: undefined, integral: false });
    expect(decodeTensor(inputs, { path: 'inputs' }).data).toEqual(source);
  });
});

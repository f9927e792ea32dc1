import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspectTensor, TensorError, writeTensor } from '#src/tensor/json.js';
import { plainRows, writePlainRows } from '#src/tensor/plain-rows.js';

const element = fc.oneof(
  { weight: 20, arbitrary: fc.double() },
  { weight: 20, arbitrary: fc.integer() },
  fc.constantFrom('NaN', true, null, Infinity, 'x', []),
);
const rows = fc.oneof(
  fc
    .tuple(fc.nat(5), fc.nat(5))
    .chain(([m, n]) =>
      fc.array(fc.array(element, { minLength: n, maxLength: n }), { minLength: m, maxLength: m }),
    ),
  fc.array(fc.array(element, { maxLength: 3 }), { maxLength: 3 }),
  fc.jsonValue(),
);

describe('plain rows', () => {
  it('are read as the general way reads them, which an object of shape and data goes', () => {
    let plain = 0;
    fc.assert(
      fc.property(rows, (value) => {
        const found = plainRows(value);
        if (found === undefined) return;
        plain++;
        const given = { shape: [...found.shape], data: (value as number[][]).flat() };
        expect(inspectTensor(given, '')).toEqual({ ...found, shape: [...found.shape], dtype: undefined });
        const [own, general] = [new Float32Array(given.data.length), new Float32Array(given.data.length)];
        expect(writePlainRows(value, own)).toBe(true);
        writeTensor(given, general, '');
        expect(own).toEqual(general);
      }),
      { numRuns: 2000 },
    );
    expect(plain).toBeGreaterThan(200);
  });

  it('fit their target or are left alone', () => {
    expect(
      writePlainRows(
        [
          [1, 2],
          [3, 4],
        ],
        new Float32Array(3),
      ),
    ).toBe(false);
    expect(writePlainRows([[1, 2], [3]], new Float32Array(4))).toBe(false);
    expect(() => writeTensor([[1, 2], [3]], new Float32Array(4), 'inputs')).toThrow(TensorError);
  });
});

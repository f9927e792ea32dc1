import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileKernels, instantiateKernels } from '#src/runtime/webassembly.js';
import { linear } from '../oracles/linear.js';
import { packedBytes } from '#src/graph/panels.js';
import { fused, unfused } from '../oracles/madd.js';
import { Arena, AWKWARD, bits, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;
const madd = kernels.madd_is_fused() ? fused : unfused;

interface Sizes {
  m: number;
  n: number;
  k: number;
}

function run(
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | null,
  { m, n, k }: Sizes,
  relu = 0,
): Float32Array {
  arena.clear();
  const [atX, atW, atBias, y] = [arena.place(x), arena.place(w), arena.place(bias), arena.space(m * n)];
  const panels = arena.space(packedBytes(n, k) / 4);
  kernels.pack(atW, panels, n, k);
  kernels.linear(atX, panels, atBias, y, m, n, n, k, relu);
  expect(arena.intact()).toBe(true);
  expect(arena.read(atX, m * k)).toEqual(x);
  return arena.read(y, m * n);
}

describe('linear', () => {
  it.each(AWKWARD)('is one chain of multiply-adds to the bit, %i outputs', (n) => {
    for (const m of [0, 1, 2, 3, 17]) {
      for (const k of [...AWKWARD, 127, 128, 129, 260]) {
        const [x, w, bias] = [noise(m * k, 1), noise(n * k, 2), k % 2 ? noise(n, 3) : null];
        expect(bits(run(x, w, bias, { m, n, k })), `m ${m}, k ${k}`).toEqual(
          bits(linear({ x, w, bias, m, n, k }, madd)),
        );
      }
    }
  });

  it('keeps infinities and NaN of its own row and column, and gives them to no other', () => {
    const sizes = { m: 3, n: 17, k: 5 };
    const [x, w] = [noise(15, 1), noise(85, 2)];
    const clean = run(x, w, null, sizes);
    x[5] = Infinity;
    w[16 * 5] = NaN;
    const y = run(x, w, null, sizes);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 17; j++) {
        const value = y[i * 17 + j];
        if (j === 16) expect(value).toBeNaN();
        else if (i === 1) expect(Math.abs(value!)).toBe(Infinity);
        else expect(value).toBe(clean[i * 17 + j]);
      }
    }
  });

  it("gives a row's output the same bits alone, in a batch of 64 and at every place in it", () => {
    for (const [n, k] of [
      [8, 4],
      [65, 300],
      [10, 129],
    ] as const) {
      const [x, w, bias] = [noise(64 * k, 4), noise(n * k, 5), noise(n, 6)];
      const batch = bits(run(x, w, bias, { m: 64, n, k }));
      for (const i of [0, 1, 2, 31, 62, 63]) {
        const row = x.slice(i * k, (i + 1) * k);
        expect(bits(run(row, w, bias, { m: 1, n, k }))).toEqual(batch.slice(i * n, (i + 1) * n));
        const from = Math.max(0, i - 2);
        const part = bits(run(x.slice(from * k, (i + 1) * k), w, bias, { m: i + 1 - from, n, k }));
        expect(part).toEqual(batch.slice(from * n, (i + 1) * n));
      }
    }
  });

  it('gives an output the same bits whatever other outputs stand beside it', () => {
    const k = 37;
    const [x, w, bias] = [noise(2 * k, 7), noise(40 * k, 8), noise(40, 9)];
    const whole = run(x, w, bias, { m: 2, n: 40, k });
    for (const n of [1, 3, 15, 16, 17, 33]) {
      const part = run(x, w.slice(0, n * k), bias.slice(0, n), { m: 2, n, k });
      expect(bits(part.slice(0, n))).toEqual(bits(whole.slice(0, n)));
      expect(bits(part.slice(n))).toEqual(bits(whole.slice(40, 40 + n)));
    }
  });

  it('computes a range of columns alone, and writes no other', () => {
    const { m, n, k } = { m: 5, n: 50, k: 33 };
    const [x, w, bias] = [noise(m * k, 1), noise(n * k, 2), noise(n, 3)];
    const whole = bits(run(x, w, bias, { m, n, k }));
    for (const [from, to] of [
      [0, 16],
      [16, 48],
      [32, 50],
      [48, 50],
    ] as const) {
      arena.clear();
      const [atX, atW, atBias, y] = [arena.place(x), arena.place(w), arena.place(bias), arena.space(m * n)];
      const panels = arena.space(packedBytes(n, k) / 4);
      kernels.pack(atW, panels, n, k);
      const untouched = bits(arena.read(y, m * n));
      kernels.linear(atX, panels + 4 * from * k, atBias + 4 * from, y + 4 * from, m, n, to - from, k, 0);
      const inside = (i: number): boolean => i % n >= from && i % n < to;
      expect(bits(arena.read(y, m * n))).toEqual(whole.map((value, i) => (inside(i) ? value : untouched[i])));
      expect(arena.intact()).toBe(true);
    }
  });

  it('applies relu to the finished sum as the kernel relu does: NaN and -0 are kept', () => {
    for (const { m, n, k } of [
      { m: 1, n: 65, k: 129 },
      { m: 7, n: 20, k: 300 },
      { m: 2, n: 3, k: 1 },
    ]) {
      const [x, w, bias] = [noise(m * k, 4), noise(n * k, 5), noise(n, 6)];
      bias[0] = NaN;
      x.fill(0, (m - 1) * k);
      bias[1] = -0;
      const plain = run(x, w, bias, { m, n, k });
      const [from, to] = [arena.place(plain), arena.space(m * n)];
      kernels.relu(from, to, m * n, 0, 0);
      const expected = arena.read(to, m * n);
      expect(run(x, w, bias, { m, n, k }, 1)).toEqual(expected);
    }
  });

  it('is the chain for any sizes and any finite numbers, subnormal and huge ones included', () => {
    const float = fc.float({ noNaN: true });
    fc.assert(
      fc.property(
        fc.record({ m: fc.nat(5), n: fc.nat(35), k: fc.nat(20) }).chain(({ m, n, k }) =>
          fc.record({
            m: fc.constant(m),
            n: fc.constant(n),
            k: fc.constant(k),
            x: fc.float32Array({ minLength: m * k, maxLength: m * k, noNaN: true }),
            w: fc.float32Array({ minLength: n * k, maxLength: n * k, noNaN: true }),
            bias: fc.option(fc.array(float, { minLength: n, maxLength: n }).map((b) => Float32Array.from(b))),
          }),
        ),
        ({ x, w, bias, ...sizes }) => {
          // NaN has no agreed bits, so that numbers are compared.
          expect(run(x, w, bias, sizes)).toEqual(linear({ x, w, bias, ...sizes }, madd));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('works in the last bytes below 4 GiB', () => {
    const pages = 65_536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const high = instantiateKernels(compileKernels(), memory);
    const [m, n, k] = [3, 17, 21];
    const [x, w, bias] = [noise(m * k, 1), noise(n * k, 2), noise(n, 3)];
    let end = pages * 65_536;
    const floats = (count: number): Float32Array =>
      new Float32Array(memory.buffer, (end -= count * 4), count);
    const place = (values: Float32Array): number => (floats(values.length).set(values), end);
    const [atX, atW, atBias] = [place(x), place(w), place(bias)];
    const y = floats(m * n);
    const atY = end;
    floats(packedBytes(n, k) / 4);
    high.pack(atW, end, n, k);
    high.linear(atX, end, atBias, atY, m, n, n, k, 0);
    expect(bits(y.slice())).toEqual(bits(linear({ x, w, bias, m, n, k }, madd)));
    high.tanh(atX, atY, m * n, 0, 0);
    expect(y[0]).toBeCloseTo(Math.tanh(x[0]!), 6);
  });
});

describe('the fused multiply-add oracle', () => {
  it('rounds once where rounding twice goes wrong', () => {
    const tiny = 2 ** -40;
    // 1 + 2^-24 lies between two float32 numbers; what is added to it decides.
    expect(fused(1, 2 ** -24 + 2 ** -47, 1)).toBe(1 + 2 ** -23);
    expect(fused(1, 2 ** -24 - 2 ** -48, 1)).toBe(1);
    expect(fused(2 ** -12 * (1 + 2 ** -23), 2 ** -12, 1)).toBe(1 + 2 ** -23);
    expect(fused(tiny, 2 ** -80, 2 ** -24 + 2 ** -47)).toBe(2 ** -24 + 2 ** -47);
    expect(fused(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11))).toBe(2 ** -24);
    expect(unfused(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11))).toBe(0);
  });

  it('agrees with exact integer arithmetic', () => {
    const mantissa = fc.integer({ min: -(2 ** 24) + 1, max: 2 ** 24 - 1 });
    const shift = fc.integer({ min: 0, max: 80 });
    fc.assert(
      fc.property(mantissa, mantissa, mantissa, shift, (a, b, c, s) => {
        // a · b + c · 2^s, in units of 2^-40
        const exact = BigInt(a) * BigInt(b) + (BigInt(c) << BigInt(s));
        expect(fused(a * 2 ** -20, b * 2 ** -20, c * 2 ** (s - 40))).toBe(
          nearestFloat32(exact) * 2 ** -40 + 0,
        );
      }),
      { numRuns: 500 },
    );
  });
});

/** The float32 nearest to an integer below 2^110, ties to even; 0 is positive. */
function nearestFloat32(integer: bigint): number {
  const magnitude = integer < 0n ? -integer : integer;
  const excessBits = BigInt(Math.max(0, magnitude.toString(2).length - 24));
  let kept = magnitude >> excessBits;
  const rest = magnitude - (kept << excessBits);
  const half = excessBits === 0n ? 0n : 1n << (excessBits - 1n);
  if (excessBits > 0n && (rest > half || (rest === half && kept % 2n === 1n))) kept++;
  return Number(kept << excessBits) * (integer < 0n ? -1 : 1);
}

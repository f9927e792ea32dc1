// PyTorch's CPU generator: mt19937, and the second half of the last pair of normal draws.
// Its whole state is one block of bytes, laid out as torch.get_rng_state() writes it, that may lie in shared memory:
// a copy of the bytes is a copy of the generator. One thread draws at a time; nothing here locks.

const N = 624;
const M = 397;

// Byte offsets of CPUGeneratorImplStateLegacy (aten/src/ATen/CPUGeneratorImpl.cpp). mt19937's words are 8 bytes apart.
const SEED = 0;
const LEFT = 8;
const SEEDED = 12;
const NEXT = 16;
const STATE = 24;
const NORMAL = STATE + 8 * N + 8;
const HAS_NORMAL = NORMAL + 16;
const BYTES = HAS_NORMAL + 16;

const FIRST = STATE / 4;
const MIN_SEED = -(2n ** 63n);
const MAX_SEED = 2n ** 64n - 1n;

function twist(u: number, v: number): number {
  return (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (v & 1 ? 0x9908b0df : 0);
}

export class Generator {
  /** The size of a state. */
  static readonly bytes = BYTES;

  private readonly words: Int32Array;
  private readonly doubles: Float64Array;

  /** Draws from, and advances, the state in `view`: `Generator.bytes` bytes, aligned to 8. */
  constructor(view: Uint8Array) {
    if (view.byteLength !== BYTES)
      throw new RangeError(`a generator's state has ${BYTES} bytes, not ${view.byteLength}`);
    this.words = new Int32Array(view.buffer, view.byteOffset, BYTES / 4);
    this.doubles = new Float64Array(view.buffer, view.byteOffset, BYTES / 8);
  }

  /** torch.manual_seed: an integer from -2^63 to 2^64 - 1, negative ones as two's complement; its low 32 bits count. */
  seed(seed: number | bigint): void {
    if (typeof seed === 'number' && !Number.isSafeInteger(seed))
      throw new RangeError(`${seed} is not a seed`);
    const value = BigInt(seed);
    if (value < MIN_SEED || value > MAX_SEED)
      throw new RangeError(`${value} is not a seed: it has more than 64 bits`);
    const words = this.words;
    words.fill(0);
    words[SEED / 4] = Number(BigInt.asIntN(32, value));
    words[SEED / 4 + 1] = Number(BigInt.asIntN(32, value >> 32n));
    words[LEFT / 4] = 1;
    words[SEEDED / 4] = 1;
    let word = words[SEED / 4]!;
    words[FIRST] = word;
    for (let j = 1; j < N; j++) {
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + j) | 0;
      words[FIRST + 2 * j] = word;
    }
  }

  /** The seed last given, from 0 to 2^64 - 1. */
  initialSeed(): bigint {
    const words = this.words;
    return BigInt.asUintN(64, (BigInt(words[SEED / 4 + 1]!) << 32n) | BigInt(words[SEED / 4]! >>> 0));
  }

  /** The next 32 bits, from 0 to 2^32 - 1. */
  random(): number {
    const words = this.words;
    const left = words[LEFT / 4]! - 1;
    if (left <= 0) this.nextState();
    else words[LEFT / 4] = left;
    const next = words[NEXT / 4]!;
    words[NEXT / 4] = next + 1;
    let y = words[FIRST + 2 * next]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform on [0, 1) with 24 bits, what a float32 draw is made of. */
  random24(): number {
    return (this.random() & 0xffffff) * 2 ** -24;
  }

  /** Uniform on [0, 1) with 53 bits, what a double draw is made of: two words, the high one first. */
  random53(): number {
    const high = this.random() & 0x1fffff;
    return (high * 2 ** 32 + this.random()) * 2 ** -53;
  }

  /** The next 64 bits: two words, the high one first. */
  random64(): bigint {
    const high = BigInt(this.random());
    return (high << 32n) | BigInt(this.random());
  }

  /** A standard normal in double precision: Box-Muller, whose second half is kept for the next call. */
  standardNormal(): number {
    const { words, doubles } = this;
    if (words[HAS_NORMAL / 4] !== 0) {
      const kept = doubles[NORMAL / 8]!;
      words[HAS_NORMAL / 4] = 0;
      doubles[NORMAL / 8] = 0;
      return kept;
    }
    const u1 = this.random53();
    const u2 = this.random53();
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    const theta = 2 * Math.PI * u1;
    doubles[NORMAL / 8] = radius * Math.sin(theta);
    words[HAS_NORMAL / 4] = 1;
    return radius * Math.cos(theta);
  }

  private nextState(): void {
    const words = this.words;
    if (words[SEEDED / 4] !== 1) throw new Error('the generator was never seeded');
    let k = FIRST;
    for (let j = 0; j < N - M; j++, k += 2) {
      words[k] = words[k + 2 * M]! ^ twist(words[k]!, words[k + 2]!);
    }
    for (let j = N - M; j < N - 1; j++, k += 2) {
      words[k] = words[k + 2 * (M - N)]! ^ twist(words[k]!, words[k + 2]!);
    }
    words[k] = words[k + 2 * (M - N)]! ^ twist(words[k]!, words[FIRST]!);
    words[LEFT / 4] = N;
    words[NEXT / 4] = 0;
  }
}

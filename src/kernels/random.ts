// Draws of PyTorch's CPU generator: mt19937, on the bytes that src/random/generator.ts lays out and advances likewise.
// The generator must have been seeded. Draws are made one after another; whoever calls sees to it that no one else draws.

import { BYTES } from './lanes';

const N: i32 = 624;
const M: i32 = 397;

// Byte offsets; the words of mt19937 are 8 bytes apart.
const LEFT: usize = 8;
const NEXT: usize = 16;
const STATE: usize = 24;
const STEP: usize = 8;

/** y[i] = scale with probability p, else 0; drawn as Tensor.bernoulli_(p) does. */
export function bernoulli(generator: usize, y: usize, n: usize, p: f64, scale: f64): void {
  const success = <f32>scale;
  for (let i: usize = 0; i < n; i++) store<f32>(y + i * BYTES, uniform(generator) < p ? success : 0);
}

/** The noise of RReLU in training: where x <= 0 uniform in [lower, upper), drawn for those elements alone; else 1. */
export function rrelu_noise(
  x: usize, generator: usize, y: usize, n: usize, lower: f64, upper: f64,
): void {
  for (let i: usize = 0; i < n; i++) {
    const drawn = load<f32>(x + i * BYTES) <= 0;
    store<f32>(y + i * BYTES, drawn ? <f32>(uniform(generator) * (upper - lower) + lower) : 1);
  }
}

/** In [0, 1), with 53 bits: two words, the high one first. */
function uniform(generator: usize): f64 {
  const high = <u64>(random(generator) & 0x1fffff);
  return <f64>((high << 32) | <u64>random(generator)) * 1.1102230246251565e-16; // 2^-53
}

function random(generator: usize): u32 {
  const left = load<i32>(generator, LEFT) - 1;
  if (left <= 0) nextState(generator);
  else store<i32>(generator, left, LEFT);
  const next = load<u32>(generator, NEXT);
  store<u32>(generator, next + 1, NEXT);
  let y = load<u32>(generator + <usize>next * STEP, STATE);
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

function nextState(generator: usize): void {
  const words = generator + STATE;
  for (let j = 0; j < N; j++) {
    const at = words + <usize>j * STEP;
    const ahead = words + <usize>(j < N - M ? j + M : j + M - N) * STEP;
    const following = words + <usize>(j == N - 1 ? 0 : j + 1) * STEP;
    store<u32>(at, load<u32>(ahead) ^ twist(load<u32>(at), load<u32>(following)));
  }
  store<i32>(generator, N, LEFT);
  store<u32>(generator, 0, NEXT);
}

// @ts-ignore: decorator
@inline
function twist(u: u32, v: u32): u32 {
  return (((u & 0x80000000) | (v & 0x7fffffff)) >> 1) ^ (v & 1 ? 0x9908b0df : 0);
}

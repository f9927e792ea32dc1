// torch.nn.init.trunc_normal_ of PyTorch 2.13: normals (or, for narrow bounds, uniforms) drawn for the whole tensor
// again and again until each element had one that is accepted. PyTorch would do so for ever; here there is an end.

import { normal, uniform, uniformFault } from './distributions.js';
import type { Generator } from './generator.js';

export interface TruncNormal {
  mean: number;
  std: number;
  a: number;
  b: number;
}

/** Rounds over the whole tensor: 1000 leave one element in a million open where one draw in seventy is accepted. */
const MAX_ROUNDS = 1000;

/** Where this share of normals falls between the bounds, PyTorch draws normals. */
const NORMAL_SHARE = 0.3;

/** The share of a normal's draws that fall into [a, b], as PyTorch computes it. */
function share({ mean, std, a, b }: TruncNormal): number {
  const cdf = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
  return cdf((b - mean) / std) - cdf((a - mean) / std);
}

/** The density's logarithm at its peak within [a, b], relative to the one at the mean. */
function logPeak({ mean, std, a, b }: TruncNormal): number {
  const mode = Math.max(a, Math.min(mean, b));
  return -0.5 * ((mode - mean) / std) ** 2;
}

/** Why these arguments cannot be drawn, or would take too long, for n elements; undefined if they can. */
export function truncNormalFault(spec: TruncNormal, n: number): string | undefined {
  const { std, a, b } = spec;
  if (std === 0) return 'float division by zero';
  if (share(spec) > NORMAL_SHARE) return undefined;
  const fault = uniformFault(spec);
  if (fault !== undefined || a === b || n === 0) return fault;
  // Each round accepts a candidate in proportion to the density: this share of them, on 1000 points between a and b.
  const peak = logPeak(spec);
  let accepted = 0;
  for (let i = 0; i < 1000; i++) {
    const x = a + ((i + 0.5) / 1000) * (b - a);
    accepted += Math.exp(-0.5 * ((x - spec.mean) / std) ** 2 - peak) / 1000;
  }
  if ((Math.log(n) + 1) / accepted < MAX_ROUNDS) return undefined;
  return `too little of a normal distribution with mean ${spec.mean} and std ${std} lies between ${a} and ${b}`;
}

/** Normals cut off at a and b, by rejection. RangeError where `truncNormalFault` says so, or no end is in sight. */
export function truncNormal(
  generator: Generator,
  out: Float32Array,
  { mean = 0, std = 1, a = -2, b = 2 }: Partial<TruncNormal> = {},
): void {
  const spec = { mean, std, a, b };
  const fault = truncNormalFault(spec, out.length);
  if (fault !== undefined) throw new RangeError(fault);
  if (share(spec) > NORMAL_SHARE) fromNormals(generator, out, spec);
  else fromUniforms(generator, out, spec);
}

function fromNormals(generator: Generator, out: Float32Array, spec: TruncNormal): void {
  const low = Math.fround(spec.a);
  const high = Math.fround(spec.b);
  const outside = (value: number): boolean => value < low || value > high;
  normal(generator, out, spec);
  let fresh: Float32Array | undefined;
  for (let round = 0; out.some(outside); round++) {
    if (round === MAX_ROUNDS) throw new RangeError(`no normal fell between ${spec.a} and ${spec.b}`);
    fresh ??= new Float32Array(out.length);
    normal(generator, fresh, spec);
    for (let i = 0; i < out.length; i++) if (outside(out[i]!)) out[i] = fresh[i]!;
  }
}

function fromUniforms(generator: Generator, out: Float32Array, spec: TruncNormal): void {
  const f = Math.fround;
  const mean = f(spec.mean);
  const std = f(spec.std);
  const peak = f(logPeak(spec));
  /** The density's logarithm relative to the peak, rounded to float32 step by step. */
  const logDensity = (x: number): number => {
    const distance = f(f(x - mean) / std);
    return f(f(f(distance * distance) * -0.5) - peak);
  };
  const candidates = new Float32Array(out.length);
  const thresholds = new Float32Array(out.length);
  const pending = new Uint8Array(out.length).fill(1);
  let waiting = out.length;
  for (let round = 0; waiting > 0; round++) {
    if (round === MAX_ROUNDS) throw new RangeError(`no draw between ${spec.a} and ${spec.b} was accepted`);
    uniform(generator, candidates, spec);
    uniform(generator, thresholds);
    for (let i = 0; i < out.length; i++) {
      if (pending[i] === 0) continue;
      out[i] = candidates[i]!;
      if (f(Math.log(thresholds[i]!)) > logDensity(candidates[i]!)) continue;
      pending[i] = 0;
      waiting--;
    }
  }
}

/** The error function: its Taylor series near 0, the continued fraction of its complement further out. */
function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  if (magnitude < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = magnitude;
  for (let k = 60; k >= 1; k--) fraction = magnitude + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction));
}

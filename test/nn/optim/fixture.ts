// What PyTorch made of the same numbers (test/fixtures/make-optim.py).

import { readFileSync } from 'node:fs';

export interface PackedTensor {
  readonly shape: number[];
  readonly data: string;
}

export interface Fixture {
  readonly sizes: number[];
  readonly starts: string[];
  readonly gradients: string[][];
  readonly updates: {
    name: string;
    options: Record<string, unknown>;
    parameters: string[];
    with_nearest_sqrt: string[];
    state: Record<string, Record<string, PackedTensor>>;
    param_groups: Record<string, unknown>[];
  }[];
  readonly odd_gradient: string;
  readonly odd: { name: string; options: Record<string, unknown>; parameter: string }[];
  readonly defaults: Record<string, Record<string, unknown>>;
  readonly refused: { name: string; options: Record<string, unknown>; message: string }[];
  readonly schedules: {
    optimizer: string;
    name: string;
    options: Record<string, unknown>;
    rates: number[][];
    momenta?: number[][];
    metrics?: number[];
  }[];
  readonly schedules_refused: { name: string; options: Record<string, unknown>; message: string }[];
  readonly clips: {
    norm_type: number | string;
    max_norm: number;
    gradients: string[];
    total_norm: number;
    clipped: string[];
  }[];
  readonly nonfinite: string;
  readonly lbfgs_state: string[];
  readonly minimised: {
    function: 'quadratic' | 'rosenbrock';
    start: number[];
    options: Record<string, unknown>;
    losses: number[];
    points: number[][];
    func_evals: number[];
    n_iter: number[];
  }[];
}

export const fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/optim.json', import.meta.url), 'utf8'),
) as Fixture;

export function unpacked(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return new Float32Array(bytes.buffer);
}
